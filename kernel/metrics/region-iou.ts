import { bilinear } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';
import type { PixelMask } from './pointing-game.ts';

/** Levels at which a map is cut: those of the bytes in which it is stored. */
const LEVELS = 256;

/**
 * Intersection over union of a truth with the map cut at a threshold, 0 … 1.
 * - `best`: at the threshold that suits this truth best, an upper bound that leaves the choice of a threshold out of the comparison
 * - `otsu`: at Otsu's threshold (IEEE Transactions on Systems, Man, and Cybernetics, 1979), which the map alone determines
 *
 * Both are taken over 256 levels between the map's least and greatest value. A flat map marks nothing: 0.
 */
export function regionIou(
  map: Mask,
  { height, width, data }: PixelMask,
): { readonly best: number; readonly otsu: number } {
  const pixels = bilinear(map.rows, map.cols, height, width).up(map.data);
  const [least, most] = pixels.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  if (!(most > least)) return { best: 0, otsu: 0 };
  const all = new Float64Array(LEVELS);
  const inside = new Float64Array(LEVELS);
  pixels.forEach((value, i) => {
    const level = Math.min(LEVELS - 1, Math.floor(((value - least) / (most - least)) * LEVELS));
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

/**
 * The lowest level of the upper class when the classes' means lie as far apart as can be, by Otsu's between-class variance.
 * @param histogram how many values there are at each level; at least two levels are not empty
 */
export function otsuLevel(histogram: Float64Array): number {
  const count = histogram.reduce((a, b) => a + b, 0);
  const total = histogram.reduce((sum, n, level) => sum + n * level, 0);
  let [below, sumBelow, best, at] = [0, 0, -1, 1];
  for (let level = 1; level < histogram.length; level++) {
    below += histogram[level - 1]!;
    sumBelow += histogram[level - 1]! * (level - 1);
    const above = count - below;
    if (below === 0 || above === 0) continue;
    const variance = below * above * (sumBelow / below - (total - sumBelow) / above) ** 2;
    if (variance > best) [best, at] = [variance, level];
  }
  return at;
}
