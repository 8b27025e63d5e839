import { z } from 'zod';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { noiseSeed } from './noise-seed.ts';
import { stage, throwIfAborted } from './progress.ts';

export interface SmoothGradOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Noisy copies of the image whose gradients are averaged. */
  readonly samples: number;
  /** σ of the Gaussian noise, in normalised pixel units. */
  readonly noise: number;
}

/** How many samples go to the scorer at once. */
const AT_ONCE = 8;

/**
 * SmoothGrad: the gradient at the whole image, averaged over noisy copies of it. In the space of the mask the gradient is already the
 * pixels' gradient times (image − baseline), so its magnitude is comparable between cells. Costs one gradient a sample.
 */
export const smoothGrad: AttributionMethod<SmoothGradOptions> = {
  name: 'smooth-grad',
  summary: 'The gradient at the image, averaged over noisy copies of it.',
  source: 'Smilkov et al. 2017 (arXiv 1706.03825)',
  schema: z.strictObject({
    maskSize: z.int().min(2).max(128),
    samples: z.int().min(1).max(1000),
    noise: z.number().min(0).max(10),
  }),
  defaults: { maskSize: 32, samples: 16, noise: 0.3 },

  async attribute(scorer, weights, { maskSize, samples, noise }, context) {
    const whole = filledMask(maskSize, maskSize, 1);
    const sum = new Float32Array(whole.data.length);
    const report = stage('gradients', samples, context);
    for (let k = 0; k < samples; k += AT_ONCE) {
      throwIfAborted(context.signal);
      const count = Math.min(AT_ONCE, samples - k);
      const requests = Array.from({ length: count }, (_, j) => ({
        mask: whole,
        weights,
        noise: { sigma: noise, seed: noiseSeed(context.seed, k + j) },
      }));
      for (const { gradient } of await scorer.gradient(requests)) {
        gradient.data.forEach((g, cell) => (sum[cell]! += g / samples));
      }
      report(k + count);
    }
    return { ...whole, data: sum.map((value) => Math.max(value, 0)) };
  },
};
