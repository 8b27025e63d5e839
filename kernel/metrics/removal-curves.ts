import { mean } from 'simple-statistics';
import type { BaselineName, Mask, Scorer } from '../attribution/scorer.ts';
import type { Curve } from '../document.ts';

export interface RemovalOptions {
  /** What takes the place of removed cells. */
  readonly baseline: BaselineName;
  /** In about how many steps the whole image is removed. Default 50. */
  readonly steps?: number;
}

export interface RemovalCurves {
  readonly deletion: Curve;
  readonly insertion: Curve;
  /** Mean probability of the explained tokens with the whole image and with nothing of it: what the curves are normalised by. */
  readonly image: number;
  readonly nothing: number;
}

/** The paper's 50 takes 20 of 1024 cells a step. */
const STEPS = 50;

/** Below this difference of mean probabilities, image and baseline say the same and there is nothing to normalise by. */
const LEAST_DIFFERENCE = 1e-6;

/** Cells of a step, and how many steps there are. */
function stepsOf(cells: number, steps: number): { readonly size: number; readonly count: number } {
  const size = Math.max(1, Math.floor(cells / steps));
  return { size, count: Math.ceil(cells / size) };
}

/** How many evaluations `removalCurves` takes for a map of so many cells. */
export const removalEvaluations = (cells: number, steps = STEPS): number => 2 * stepsOf(cells, steps).count;

/** Below this difference of mean probabilities a normalised score is mostly the noise of a small divisor, and one of them would decide a mean. */
const NORMALISABLE = 0.2;

/** Whether image and baseline differ by enough for normalised scores to be compared: by a fifth of probability. */
export const isNormalisable = ({ image, nothing }: Pick<RemovalCurves, 'image' | 'nothing'>): boolean =>
  Math.abs(image - nothing) >= NORMALISABLE;

/** A curve's score without normalisation: the mean probability along it, 0 … 1. */
export const rawScore = ({ score }: Curve, { image, nothing }: Pick<RemovalCurves, 'image' | 'nothing'>): number =>
  score * (image - nothing) + nothing;

/**
 * Deletion and insertion: cells are taken away from the image (brought back to the baseline) in the order of their saliency,
 * and the answer is scored after each step. The score s is the mean probability of the explained tokens, normalised as
 * (s − s_baseline)/(s_image − s_baseline), and a curve's score is its mean over the steps. Deletion is better the lower,
 * insertion the higher; both lie near 0 … 1, and beyond where a part of the image says more, or less, than all or nothing of it. A map that only
 * fits the baseline it was optimised with scores well there and badly with another: measure with several.
 *
 * Source: Petsiuk, Das, Saenko, "RISE", BMVC 2018 (arXiv 1806.07421); normalised and over tokens as in Xing et al. (arXiv 2503.13891), section 4.
 *
 * @param map saliency; ties are taken in reading order
 * @param tokens indexes of the explained tokens
 * @returns undefined where image and baseline give the tokens the same mean probability
 */
export async function removalCurves(
  scorer: Scorer,
  map: Mask,
  tokens: readonly number[],
  { baseline, steps = STEPS }: RemovalOptions,
): Promise<RemovalCurves | undefined> {
  const cells = map.data.length;
  const order = Array.from(map.data.keys()).sort((a, b) => map.data[b]! - map.data[a]! || a - b);
  const { size, count } = stepsOf(cells, steps);
  const counts = Array.from({ length: count }, (_, i) => Math.min((i + 1) * size, cells));

  const marked = (count: number, inside: number): Mask => {
    const data = new Float32Array(cells).fill(1 - inside);
    for (const cell of order.slice(0, count)) data[cell] = inside;
    return { ...map, data };
  };
  const masks = [...counts.map((n) => marked(n, 0)), ...counts.map((n) => marked(n, 1))];
  const answers = await scorer.logp(masks.map((mask) => ({ mask, baseline })));
  const scores = answers.map((logp) => mean(tokens.map((t) => Math.exp(logp[t]!))));
  // The last step of deletion leaves nothing of the image, and that of insertion all of it.
  const [nothing, image] = [scores[count - 1]!, scores.at(-1)!];
  if (Math.abs(image - nothing) < LEAST_DIFFERENCE) return undefined;

  const x = counts.map((count) => count / cells);
  const curve = (kind: Curve['kind'], from: number): Curve => {
    const y = scores.slice(from, from + count).map((score) => (score - nothing) / (image - nothing));
    return { kind, baseline, x, y, score: mean(y) };
  };
  return { deletion: curve('deletion', 0), insertion: curve('insertion', count), image, nothing };
}
