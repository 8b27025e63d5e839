import { z } from 'zod';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';
import { rolledBack } from './rolled-out.ts';

export interface AttentionRolloutOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
}

/**
 * Attention rollout: half of what a token holds comes from itself (the residual connection) and half from where it attends to, the mean of its heads;
 * Â_l = ½·A_l + ½·I, and the product of all layers tells what the answer's tokens hold of each patch. Through the decoder, and then through the
 * encoder of each view. Needs no gradient: one forward evaluation.
 */
export const attentionRollout: AttributionMethod<AttentionRolloutOptions> = {
  name: 'attention-rollout',
  summary: 'Attention of all layers multiplied, through decoder and vision encoder, back to the patches. No gradient.',
  source: 'Abnar, Zuidema, ACL 2020 (arXiv 2005.00928)',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128) }),
  defaults: { maskSize: 32 },

  async attribute(scorer, weights, { maskSize }, context) {
    throwIfAborted(context.signal);
    const report = stage('attention', 1, context);
    const flow = await scorer.internals.attention();
    report(1);
    return rolledBack(flow, weights, { keep: 0.5, take: 0.5 }, maskSize);
  },
};
