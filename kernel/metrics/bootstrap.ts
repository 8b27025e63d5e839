import { mean, quantile, sampleWithReplacement } from 'simple-statistics';
import { seededRandom } from '../image/random.ts';

/**
 * 95 % confidence interval of a mean, by the percentile bootstrap: values are drawn with replacement, `resamples` times.
 * @returns [low, high], or undefined for fewer than two values
 */
export function bootstrapInterval(
  values: readonly number[],
  { seed = 0, resamples = 2000 }: { readonly seed?: number; readonly resamples?: number } = {},
): readonly [number, number] | undefined {
  if (values.length < 2) return undefined;
  const { uniform } = seededRandom(seed);
  const drawn = [...values];
  const means = Array.from({ length: resamples }, () => mean(sampleWithReplacement(drawn, drawn.length, uniform)));
  const [low, high] = quantile(means, [0.025, 0.975]) as [number, number];
  return [low, high];
}

/** A mean with its count and its interval: how benchmarks report. */
export interface Estimate {
  readonly mean: number;
  readonly interval: readonly [number, number] | null;
  readonly count: number;
}

/** @returns null for no values */
export function estimate(values: readonly number[], seed = 0): Estimate | null {
  if (values.length === 0) return null;
  return { mean: mean([...values]), interval: bootstrapInterval(values, { seed }) ?? null, count: values.length };
}
