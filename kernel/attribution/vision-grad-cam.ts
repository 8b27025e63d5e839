import { z } from 'zod';
import { classActivation } from './grad-cam.ts';
import { laidViews } from './laid-views.ts';
import type { AttributionMethod } from './method.ts';
import { NEARLY_LOG_ODDS } from './scorer.ts';
import { stage, throwIfAborted } from './progress.ts';

export interface VisionGradCamOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Which block of the vision encoder, from 0; negative numbers count from the last, −1. */
  readonly layer: number;
}

/**
 * Grad-CAM inside the vision encoder, as it is used with vision transformers: on what a block gives out for each patch (by default the last one whose
 * tokens the model uses); class tokens are left out. Of an encoder without attention it is the last convolution, as in the paper. Each encoder of a
 * model gives a map for each of its views. The score is nearly the tokens' log-odds, as in `gradCam`. Costs one gradient evaluation.
 */
export const visionGradCam: AttributionMethod<VisionGradCamOptions> = {
  name: 'vision-grad-cam',
  summary: 'One gradient: features of a block inside the vision encoder weighted by how much their channels matter.',
  source: 'Selvaraju et al., ICCV 2017 (arXiv 1610.02391), on a block of the vision encoder',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128), layer: z.int().min(-100).max(100) }),
  defaults: { maskSize: 32, layer: -1 },

  async attribute(scorer, weights, { maskSize, layer }, context) {
    throwIfAborted(context.signal);
    const report = stage('gradient', 1, context);
    const views = await scorer.internals.visionGradient(weights, layer, NEARLY_LOG_ODDS);
    report(1);
    return laidViews(
      views.map((view) => ({ ...view, map: classActivation(view) })),
      maskSize,
    );
  },
};
