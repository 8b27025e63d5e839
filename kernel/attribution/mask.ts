import type { Mask } from './scorer.ts';

/** A mask with every cell at one value: 1 shows the whole image, 0 the baseline. */
export function filledMask(rows: number, cols: number, value: number): Mask {
  return { rows, cols, data: new Float32Array(rows * cols).fill(value) };
}

/** A mask of the same shape with `of(value, index)` in each cell. */
export function mapMask(mask: Mask, of: (value: number, index: number) => number): Mask {
  return { rows: mask.rows, cols: mask.cols, data: mask.data.map(of) };
}

/** 1 − m: turns a mask into saliency and back, and swaps image and baseline. */
export const complement = (mask: Mask): Mask => mapMask(mask, (m) => 1 - m);

/**
 * A mask whose saliency is narrowed to where a prior map is: `1 − (1 − m)·prior/max(prior)`. A flat prior changes nothing.
 * @param prior saliency of the mask's shape
 */
export function narrowed(mask: Mask, prior: Mask): Mask {
  const most = prior.data.reduce((max, value) => Math.max(max, value), 0);
  if (most === 0) return mask;
  return mapMask(mask, (m, cell) => 1 - ((1 - m) * prior.data[cell]!) / most);
}
