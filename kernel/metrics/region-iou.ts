import { bilinear } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';
import { levelOf, LEVELS, otsuLevel, range } from './otsu.ts';
import type { PixelMask } from './pointing-game.ts';

/**
 * Intersection over union of a truth with the map cut at a threshold, 0 … 1.
 * - `best`: at the threshold that suits this truth best, an upper bound that leaves the choice of a threshold out of the comparison
 * - `otsu`: at Otsu's threshold (see `otsuThreshold`), which the map alone determines
 *
 * Both are taken over 256 levels between the map's least and greatest value. A flat map marks nothing: 0.
 */
export function regionIou(
  map: Mask,
  { height, width, data }: PixelMask,
): { readonly best: number; readonly otsu: number } {
  const pixels = bilinear(map.rows, map.cols, height, width).up(map.data);
  const [least, most] = range(pixels);
  if (!(most > least)) return { best: 0, otsu: 0 };
  const all = new Float64Array(LEVELS);
  const inside = new Float64Array(LEVELS);
  pixels.forEach((value, i) => {
    const level = levelOf(value, least, most);
    all[level]!++;
    if (data[i]) inside[level]!++;
  });
  const truth = inside.reduce((a, b) => a + b, 0);
  let [marked, hit, best] = [0, 0, 0];
  const ious = new Float64Array(LEVELS);
  for (let level = LEVELS - 1; level >= 0; level--) {
    marked += all[level]!;
    hit += inside[level]!;
    ious[level] = hit / (marked + truth - hit || 1);
    best = Math.max(best, ious[level]!);
  }
  return { best, otsu: ious[otsuLevel(all)]! };
}
