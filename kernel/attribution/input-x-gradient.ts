import { z } from 'zod';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';

export interface InputXGradientOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
}

/**
 * Input × gradient, with the input measured from the baseline: `(x − x′)·∂S/∂x` at the image. As φ(M) = x·M + x′·(1 − M), that product
 * summed for each cell is the gradient with respect to the mask at M = 1. Costs one gradient.
 */
export const inputXGradient: AttributionMethod<InputXGradientOptions> = {
  name: 'input-x-gradient',
  summary: 'One gradient at the image, times what sets the image apart from the baseline.',
  source: 'Shrikumar et al. 2016 (arXiv 1605.01713)',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128) }),
  defaults: { maskSize: 32 },

  async attribute(scorer, weights, { maskSize }, context) {
    throwIfAborted(context.signal);
    const report = stage('gradient', 1, context);
    const mask = filledMask(maskSize, maskSize, 1);
    const [answer] = await scorer.gradient([{ mask, weights }]);
    report(1);
    return { ...mask, data: answer!.gradient.data.map((value) => Math.max(value, 0)) };
  },
};
