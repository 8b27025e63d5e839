import { axisWeights } from '../image/resample.ts';
import type { NormalisedImage } from './scorer.ts';

/** The mean colour of what each cell of a mask shows: one grid, row-major, for each channel. A pixel that cells share counts in each by its share. */
export function cellColours(
  { channels, height, width, data }: NormalisedImage,
  rows: number,
  cols: number,
): Float32Array[] {
  const [y, x] = [axisWeights(height, rows, 'box'), axisWeights(width, cols, 'box')];
  return Array.from({ length: channels }, (_, channel) => {
    const plane = data.subarray(channel * height * width, (channel + 1) * height * width);
    const means = new Float32Array(rows * cols);
    for (let row = 0; row < rows; row++) {
      for (let v = 0; v < y.count[row]!; v++) {
        const line = (y.first[row]! + v) * width;
        for (let col = 0; col < cols; col++) {
          for (let h = 0; h < x.count[col]!; h++) {
            const weight = y.weights[row * y.taps + v]! * x.weights[col * x.taps + h]!;
            means[row * cols + col]! += weight * plane[line + x.first[col]! + h]!;
          }
        }
      }
    }
    return means;
  });
}
