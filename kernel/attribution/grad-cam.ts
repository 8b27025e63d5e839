import { z } from 'zod';
import { laidViews } from './laid-views.ts';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';
import { NEARLY_LOG_ODDS } from './scorer.ts';
import type { FeatureGradient } from './scorer.ts';

export interface GradCamOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
}

/** ReLU(Σ_c ā_c·f_c) at each image token, ā_c being the mean of channel c's gradient over the view's tokens. */
export function classActivation({ rows, cols, channels, features, gradient }: FeatureGradient): Float32Array {
  const tokens = rows * cols;
  const importance = new Float64Array(channels);
  gradient.forEach((g, i) => (importance[i % channels]! += g / tokens));
  return Float32Array.from({ length: tokens }, (_, token) => {
    let activation = 0;
    for (let c = 0; c < channels; c++) activation += importance[c]! * features[token * channels + c]!;
    return Math.max(activation, 0);
  });
}

/**
 * Grad-CAM where the language model meets the image: on the projected image features, one activation map for each view.
 * Views of parts of the image (tiles) are laid into place and averaged with the others that show the same place.
 * The paper's y^c is "the score for class c before the softmax" (section 3), so that a token of which the model is sure counts as much as another: here
 * nearly its log-odds.
 * Costs one gradient evaluation.
 */
export const gradCam: AttributionMethod<GradCamOptions> = {
  name: 'grad-cam',
  summary: 'One gradient: image features weighted by how much their channels matter. The quickest, and the coarsest.',
  source: 'Selvaraju et al., ICCV 2017 (arXiv 1610.02391), on projected image features',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128) }),
  defaults: { maskSize: 32 },

  async attribute(scorer, weights, { maskSize }, context) {
    throwIfAborted(context.signal);
    const report = stage('gradient', 1, context);
    const views = await scorer.featureGradient(weights, NEARLY_LOG_ODDS);
    report(1);
    return laidViews(
      views.map((view) => ({ ...view, map: classActivation(view) })),
      maskSize,
    );
  },
};
