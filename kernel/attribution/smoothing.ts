import type { Mask } from './scorer.ts';

/** How far the Gaussian reaches, in standard deviations. */
const REACH = 3;

/**
 * A map smoothed by a Gaussian, cut off at 3 σ; at the edges the weights of the cells that there are add up to 1.
 * @param sigma σ in cells; 0 leaves the map as it is
 */
export function smoothed(map: Mask, sigma: number): Mask {
  if (sigma === 0) return map;
  const { rows, cols } = map;
  const along = along1d(map.data, { count: cols, step: 1, lines: rows, lineStep: cols }, sigma);
  return { rows, cols, data: along1d(along, { count: rows, step: cols, lines: cols, lineStep: 1 }, sigma) };
}

interface Lines {
  /** Cells of a line, and how far apart they lie. */
  readonly count: number;
  readonly step: number;
  readonly lines: number;
  readonly lineStep: number;
}

function along1d(data: Float32Array, { count, step, lines, lineStep }: Lines, sigma: number): Float32Array {
  const radius = Math.ceil(REACH * sigma);
  const weight = (distance: number) => Math.exp(-(distance ** 2) / (2 * sigma ** 2));
  const result = new Float32Array(data.length);
  for (let line = 0; line < lines; line++) {
    const at = (i: number) => line * lineStep + i * step;
    for (let i = 0; i < count; i++) {
      let [sum, weights] = [0, 0];
      for (let j = Math.max(0, i - radius); j <= Math.min(count - 1, i + radius); j++) {
        sum += weight(i - j) * data[at(j)]!;
        weights += weight(i - j);
      }
      result[at(i)] = sum / weights;
    }
  }
  return result;
}
