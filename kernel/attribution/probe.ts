import { throwIfAborted, stage } from './progress.ts';
import type { AttributionContext, Mask, Scorer } from './scorer.ts';
import { meanLogLikelihood } from './token-means.ts';

/** How many masks go to the scorer at once: enough for its batches, few enough to stop soon. */
export const AT_ONCE = 16;

/**
 * The score of several masks: the explained tokens' mean log p with each, in nats. What methods share that see the model from outside only; needs no gradient.
 * @param masks all of one shape
 */
export async function probe(
  scorer: Scorer,
  weights: Float32Array,
  masks: readonly Mask[],
  context: AttributionContext,
  name = 'masks',
): Promise<number[]> {
  const report = stage(name, masks.length, context);
  const scores: number[] = [];
  for (let k = 0; k < masks.length; k += AT_ONCE) {
    throwIfAborted(context.signal);
    const answers = await scorer.logp(masks.slice(k, k + AT_ONCE).map((mask) => ({ mask })));
    scores.push(...answers.map((logp) => meanLogLikelihood(logp, weights)));
    report(scores.length);
  }
  return scores;
}
