import { bilateralTotalVariation } from './btv.ts';
import type { Term } from './btv.ts';
import type { Mask, NormalisedImage } from './scorer.ts';

export interface RegulariserOptions {
  /** Weight of the mask's mean absence, mean|1 − M|. */
  readonly l1: number;
  /** Weight of Σ(1 − M)², which makes the first steps convex; it fades as exp(−gamma · iteration). */
  readonly l2: number;
  /** Weight of the bilateral total variation. */
  readonly l3: number;
  readonly gamma: number;
}

/**
 * The terms of the objective that know nothing of the model:
 * `l1·mean|1 − M| + l3·BTV(M) + l2·exp(−gamma·i)·Σ(1 − M)²` (graduated non-convexity: l2 fades with the iteration i).
 */
export function regulariser(
  image: NormalisedImage,
  rows: number,
  cols: number,
  { l1, l2, l3, gamma }: RegulariserOptions,
): (mask: Mask, iteration: number) => Term {
  const variation = bilateralTotalVariation(image, rows, cols);
  return (mask, iteration) => {
    const cells = mask.data.length;
    const convexity = l2 * Math.exp(-gamma * iteration);
    const { value: roughness, gradient: roughening } = variation(mask);
    let value = l3 * roughness;
    const gradient = mask.data.map((m, cell) => {
      const absent = 1 - m;
      value += (l1 * Math.abs(absent)) / cells + convexity * absent * absent;
      return l3 * roughening[cell]! - (l1 * Math.sign(absent)) / cells - 2 * convexity * absent;
    });
    return { value, gradient };
  };
}
