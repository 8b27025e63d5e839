/** Levels at which a map is cut: those of the bytes in which it is stored. */
export const LEVELS = 256;

/**
 * Otsu's threshold of a map's values (IEEE Transactions on Systems, Man, and Cybernetics 9, 1979): the value that parts them into two classes
 * whose means lie as far apart as can be, over 256 levels between the least and the greatest. What is at or above it is marked.
 * @returns a value between the least and the greatest; the value itself where all are the same
 */
export function otsuThreshold(values: Float32Array): number {
  const [least, most] = range(values);
  if (!(most > least)) return most;
  const histogram = new Float64Array(LEVELS);
  for (const value of values) histogram[levelOf(value, least, most)]!++;
  return least + ((most - least) * otsuLevel(histogram)) / LEVELS;
}

/** The level of a value between the least and the greatest, 0 … 255. */
export const levelOf = (value: number, least: number, most: number): number =>
  Math.min(LEVELS - 1, Math.floor(((value - least) / (most - least)) * LEVELS));

/** The least and the greatest of some values. */
export function range(values: Float32Array): readonly [least: number, most: number] {
  return values.reduce<readonly [number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
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
