import { mean } from 'simple-statistics';
import { seededRandom } from '../image/random.ts';
import { bootstrapInterval } from './bootstrap.ts';

/** Two methods compared on the same things. */
export interface PairedTest {
  /** Mean of a − b. */
  readonly difference: number;
  /** 95 % bootstrap interval of that mean; null for fewer than two pairs. */
  readonly interval: readonly [number, number] | null;
  /** Probability of a mean at least as far from 0, were the signs of the differences chance. Two-sided. */
  readonly p: number;
  readonly count: number;
}

/** Up to this many pairs that differ all choices of signs are tried (2^14); above that, as many are drawn. */
const EXACT = 14;
const DRAWS = 10_000;

/**
 * Paired randomisation test (sign flips; Fisher 1935): were both methods alike, each difference could as well have had the other sign. It asks for
 * nothing about how the values are distributed, so it serves scores and yes-or-no outcomes alike (where it is McNemar's exact test).
 * @param a values of one method, and `b` those of the other for the same things in the same order
 * @throws Error for lists of different lengths
 */
export function pairedTest(a: readonly number[], b: readonly number[], seed = 0): PairedTest {
  if (a.length !== b.length) throw new Error(`${a.length} values cannot be paired with ${b.length}`);
  const differences = a.map((value, i) => value - b[i]!);
  const count = differences.length;
  if (count === 0) return { difference: 0, interval: null, p: 1, count };
  const moved = differences.filter((difference) => difference !== 0);
  return {
    difference: mean(differences),
    interval: bootstrapInterval(differences, { seed }) ?? null,
    p: moved.length === 0 ? 1 : signFlips(moved, seed),
    count,
  };
}

function signFlips(differences: readonly number[], seed: number): number {
  const observed = Math.abs(differences.reduce((sum, value) => sum + value, 0));
  // What rounding makes of the same sum in another order counts as the same.
  const least = observed - 1e-9 * differences.reduce((sum, value) => sum + Math.abs(value), 0);
  const extreme = (negative: (i: number) => boolean) =>
    Number(Math.abs(differences.reduce((sum, value, i) => sum + (negative(i) ? -value : value), 0)) >= least);
  if (differences.length <= EXACT) {
    const all = 2 ** differences.length;
    let count = 0;
    for (let signs = 0; signs < all; signs++) count += extreme((i) => ((signs >> i) & 1) === 1);
    return count / all;
  }
  const { uniform } = seededRandom(seed);
  let count = 1;
  for (let draw = 0; draw < DRAWS; draw++) count += extreme(() => uniform() < 0.5);
  return count / (DRAWS + 1);
}

/**
 * Holm's correction (Scandinavian Journal of Statistics 6, 1979): p values of several tests such that those below α are true findings with
 * probability 1 − α together.
 * @returns corrected p values, in the order given
 */
export function holm(p: readonly number[]): number[] {
  const order = [...p.keys()].sort((a, b) => p[a]! - p[b]!);
  const corrected = new Array<number>(p.length).fill(1);
  let highest = 0;
  for (const [rank, i] of order.entries()) {
    highest = Math.max(highest, Math.min(1, (p.length - rank) * p[i]!));
    corrected[i] = highest;
  }
  return corrected;
}
