import { z } from 'zod';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';
import { NEARLY_LOG_ODDS } from './scorer.ts';
import { rolledBack } from './rolled-out.ts';

export interface TMmOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
}

/**
 * T-MM, the relevance of Chefer et al.: in each layer Ā = E_heads[(∇A ⊙ A)⁺], attention where more of it would raise the score, and
 * R ← R + Ā·R (their eq. 5, 6). The rows of R at the answer's tokens are its relevance for the image tokens; those of the encoders' R lead from there to
 * the patches, in place of the paper's rule for a decoder that attends to an encoder. Their code takes ∇A of the
 * class's logit, here it is nearly the tokens' log-odds. Costs one gradient evaluation.
 */
export const tMm: AttributionMethod<TMmOptions> = {
  name: 't-mm',
  summary: 'Attention times its gradient, rolled out through decoder and vision encoder: relevance for transformers.',
  source: 'Chefer, Gur, Wolf, ICCV 2021 (arXiv 2103.15679)',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128) }),
  defaults: { maskSize: 32 },

  async attribute(scorer, weights, { maskSize }, context) {
    throwIfAborted(context.signal);
    const report = stage('gradient', 1, context);
    const flow = await scorer.internals.attention(weights, NEARLY_LOG_ODDS);
    report(1);
    return rolledBack(flow, weights, { keep: 1, take: 1 }, maskSize);
  },
};
