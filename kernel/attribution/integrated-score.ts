import { mapMask } from './mask.ts';
import type { BaselineName, GradientRequest, Mask, Noise, Scorer } from './scorer.ts';

/**
 * One integrated score to evaluate: mean over α of S(α), with
 * - deletion: S(φ(αM)), the image fading into the baseline, where φ(M) = image·M + baseline·(1 − M);
 * - insertion: image and baseline swapped. baseline·αM + image·(1 − αM) is φ(1 − αM), so it needs no other scorer.
 */
export interface IntegratedTerm {
  readonly direction: 'deletion' | 'insertion';
  readonly mask: Mask;
  /** See `GradientRequest.odds`. */
  readonly odds?: number;
  /** The steps of the integral, in (0, 1]; the paper takes k/K for k = 1 … K. */
  readonly alphas: readonly number[];
  /** The scorer's own where absent. */
  readonly baseline?: BaselineName;
  /** None where absent. */
  readonly noise?: (step: number) => Noise | undefined;
}

export interface IntegratedScore {
  /** Mean over the steps of the score. */
  readonly value: number;
  /** log p of each answer token at each step. */
  readonly logp: readonly Float32Array[];
  /** Its gradient with respect to `mask`: mean of α·∇S at αM, or of −α·∇S at 1 − αM. */
  readonly gradient: Float32Array;
}

/** k/K for k = 1 … K. */
export const evenAlphas = (count: number): number[] => Array.from({ length: count }, (_, k) => (k + 1) / count);

/** One random place within each K-th of (0, 1): as good on average as many more even steps. */
export const randomAlphas = (count: number, uniform: () => number): number[] =>
  Array.from({ length: count }, (_, k) => (k + 1 - uniform()) / count);

/** What each term of the golden ratio's sequence adds: no sequence covers (0, 1) more evenly at every length. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * One place within each K-th of (0, 1], at which one of the golden ratio's sequence: over several calls they lie as even as many more
 * steps would, without chance.
 * @param turn how many calls went before
 */
export const goldenAlphas = (count: number, turn: number): number[] =>
  Array.from({ length: count }, (_, k) => (k + 1 - ((0.5 + GOLDEN * (turn * count + k)) % 1)) / count);

/** Evaluates all steps of all terms as one batch. */
export async function integratedScores(
  scorer: Scorer,
  weights: Float32Array,
  terms: readonly IntegratedTerm[],
): Promise<IntegratedScore[]> {
  const requests: GradientRequest[] = terms.flatMap(({ direction, mask, odds, alphas, baseline, noise }) =>
    alphas.map((alpha, step) => {
      const drawn = noise?.(step);
      return {
        mask: mapMask(mask, direction === 'deletion' ? (m) => alpha * m : (m) => 1 - alpha * m),
        weights,
        ...(odds !== undefined && { odds }),
        ...(baseline && { baseline }),
        ...(drawn && { noise: drawn }),
      };
    }),
  );
  const answers = await scorer.gradient(requests);
  let next = 0;
  return terms.map(({ direction, mask, odds = 0, alphas }) => {
    const sign = direction === 'deletion' ? 1 : -1;
    const gradient = new Float32Array(mask.data.length);
    const steps: Float32Array[] = [];
    let value = 0;
    for (const alpha of alphas) {
      const answer = answers[next++]!;
      steps.push(answer.logp);
      answer.logp.forEach((logp, t) => {
        value += (weights[t]! * (logp - Math.log1p(-odds * Math.exp(logp)))) / alphas.length;
      });
      const share = (sign * alpha) / alphas.length;
      answer.gradient.data.forEach((g, cell) => (gradient[cell]! += share * g));
    }
    return { value, gradient, logp: steps };
  });
}
