import { z } from 'zod';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';
import type { Mask, Scorer } from './scorer.ts';

export interface IntegratedGradientsOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Points of the path at which the gradient is taken. */
  readonly integrationSteps: number;
}

const DEFAULTS: Readonly<IntegratedGradientsOptions> = { maskSize: 32, integrationSteps: 16 };

/** How many points go to the scorer at once: enough for its batches, few enough to stop soon. */
const AT_ONCE = 8;

/**
 * Integrated gradients from the baseline to the image, taken in the space of the mask: ∫₀¹ ∂S/∂M_c (α·1) dα for each cell
 * c, by the midpoint rule. As φ(M) is linear in M, the chain rule makes this the pixels' integrated gradients
 * (x − x′)·∫∂S/∂x summed for each cell through its up-sampling weights: nothing is lost but resolution. The cells sum to
 * S(image) − S(baseline) (completeness), up to the integration's error. Signed.
 */
export async function integratedGradients(
  scorer: Scorer,
  weights: Float32Array,
  { maskSize, integrationSteps }: IntegratedGradientsOptions,
  context: Parameters<AttributionMethod['attribute']>[3],
): Promise<Mask> {
  const sum = filledMask(maskSize, maskSize, 0);
  const report = stage('gradients', integrationSteps, context);
  for (let k = 0; k < integrationSteps; k += AT_ONCE) {
    throwIfAborted(context.signal);
    const count = Math.min(AT_ONCE, integrationSteps - k);
    const points = Array.from({ length: count }, (_, j) => (k + j + 0.5) / integrationSteps);
    const requests = points.map((alpha) => ({ mask: filledMask(maskSize, maskSize, alpha), weights }));
    for (const { gradient } of await scorer.gradient(requests)) {
      gradient.data.forEach((g, cell) => (sum.data[cell]! += g / integrationSteps));
    }
    report(k + count);
  }
  return sum;
}

export const integratedGradientsMethod: AttributionMethod<IntegratedGradientsOptions> = {
  name: 'integrated-gradients',
  summary:
    'The gradient averaged along the straight path from the baseline to the image; cells that speak against are 0.',
  source: 'Sundararajan, Taly, Yan, ICML 2017 (arXiv 1703.01365)',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128), integrationSteps: z.int().min(1).max(1000) }),
  defaults: DEFAULTS,

  async attribute(scorer, weights, options, context) {
    const signed = await integratedGradients(scorer, weights, options, context);
    return { ...signed, data: signed.data.map((value) => Math.max(value, 0)) };
  },
};
