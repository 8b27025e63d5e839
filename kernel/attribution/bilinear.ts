import { axisWeights } from '../image/resample.ts';
import type { AxisWeights } from '../image/resample.ts';
import type { Mask } from './scorer.ts';

/** Bilinear resampling of a rows × cols grid to height × width, and its adjoint. */
export interface Bilinear {
  /** @returns height · width values, row-major */
  up(grid: Float32Array): Float32Array;
  /** The transpose of `up`: carries a gradient on the pixels back to the cells. @returns rows · cols values */
  down(pixels: Float32Array): Float32Array;
}

/**
 * With the weights with which the model's graph up-samples a mask: half-pixel centres, edges continued (PyTorch's
 * `align_corners=False`).
 * @param window the part of the grid that is shown, as shares of it; beyond its edges the edge cells continue
 */
export function bilinear(
  rows: number,
  cols: number,
  height: number,
  width: number,
  [left, top, right, bottom]: readonly [number, number, number, number] = [0, 0, 1, 1],
): Bilinear {
  const options = { antialias: false };
  const y = axisWeights(rows, height, 'bilinear', { ...options, window: [top * rows, bottom * rows] });
  const x = axisWeights(cols, width, 'bilinear', { ...options, window: [left * cols, right * cols] });
  return {
    up(grid) {
      const out = new Float32Array(height * width);
      eachWeight(y, x, (pixel, cell, weight) => (out[pixel]! += weight * grid[cell]!));
      return out;
    },
    down(pixels) {
      const out = new Float32Array(rows * cols);
      eachWeight(y, x, (pixel, cell, weight) => (out[cell]! += weight * pixels[pixel]!));
      return out;
    },
  };
}

function eachWeight(y: AxisWeights, x: AxisWeights, use: (pixel: number, cell: number, weight: number) => void): void {
  for (let i = 0; i < y.outputs; i++) {
    for (let v = 0; v < y.count[i]!; v++) {
      const row = y.first[i]! + v;
      const vertical = y.weights[i * y.taps + v]!;
      for (let j = 0; j < x.outputs; j++) {
        for (let h = 0; h < x.count[j]!; h++) {
          const weight = vertical * x.weights[j * x.taps + h]!;
          use(i * x.outputs + j, row * x.inputs + x.first[j]! + h, weight);
        }
      }
    }
  }
}

/** A mask resampled to another grid. */
export function resampled(mask: Mask, rows: number, cols: number): Mask {
  if (mask.rows === rows && mask.cols === cols) return mask;
  return { rows, cols, data: bilinear(mask.rows, mask.cols, rows, cols).up(mask.data) };
}
