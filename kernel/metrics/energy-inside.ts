import { bilinear } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';
import type { PixelMask } from './pointing-game.ts';

/**
 * The share of a map's heat that lies inside, 0 … 1: the sum of the up-sampled map over the pixels inside by the sum over all (the
 * energy-based pointing game; Wang et al., CVPR workshops 2020, arXiv 1910.01279). Heat is counted from the map's least value, so that a
 * constant added to the map changes nothing. A flat map has no heat: 0.
 */
export function energyInside(map: Mask, { height, width, data }: PixelMask): number {
  const pixels = bilinear(map.rows, map.cols, height, width).up(map.data);
  const least = pixels.reduce((low, value) => Math.min(low, value), Infinity);
  let [total, inside] = [0, 0];
  pixels.forEach((value, i) => {
    total += value - least;
    if (data[i]) inside += value - least;
  });
  return total > 0 ? inside / total : 0;
}
