import { z } from 'zod';
import { bilinear } from './bilinear.ts';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';
import type { FeatureGradient, Mask } from './scorer.ts';

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
    const sum = filledMask(maskSize, maskSize, 0);
    const seen = filledMask(maskSize, maskSize, 0);
    for (const view of await scorer.featureGradient(weights)) lay(view, classActivation(view), sum, seen);
    report(1);
    return { ...sum, data: sum.data.map((value, cell) => (seen.data[cell]! > 0 ? value / seen.data[cell]! : 0)) };
  },
};

/** Adds a view's map to the cells whose centres lie in its window, bilinearly between token centres. */
function lay(view: FeatureGradient, map: Float32Array, sum: Mask, seen: Mask): void {
  const [left, top, width, height] = view.window;
  const { rows, cols } = sum;
  // Where the whole image lies as the view sees it, in shares of the view.
  const image = [-left / width, -top / height, (1 - left) / width, (1 - top) / height] as const;
  const onImage = bilinear(view.rows, view.cols, rows, cols, image).up(map);
  onImage.forEach((value, cell) => {
    const y = (Math.floor(cell / cols) + 0.5) / rows;
    const x = ((cell % cols) + 0.5) / cols;
    if (y < top || y > top + height || x < left || x > left + width) return;
    sum.data[cell]! += value;
    seen.data[cell]! += 1;
  });
}
