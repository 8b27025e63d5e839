import { IGOS_SCHEMA, PAPER } from './igos-options.ts';
import type { IgosOptions } from './igos-options.ts';
import { resampled } from './bilinear.ts';
import { evenAlphas, integratedScores } from './integrated-score.ts';
import { complement, filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { nesterov } from './nesterov.ts';
import { noiseSeed } from './noise-seed.ts';
import { stage, throwIfAborted } from './progress.ts';
import { regulariser } from './regulariser.ts';

/**
 * iGOS+: one mask M that both deletes and inserts. Minimised:
 * `S_ig(image→baseline; M) − S_ig(baseline→image; M) + l1·mean|1 − M| + l3·BTV(M) + l2·exp(−gamma·i)·Σ(1 − M)²`.
 * Costs 2 · integrationSteps gradient evaluations an iteration.
 */
export const igosPlus: AttributionMethod<IgosOptions> = {
  name: 'igos+',
  summary: 'One mask, optimised so that removing what it marks destroys the answer and showing only that restores it.',
  source: 'Xing et al., arXiv 2503.13891, after Khorram, Lawson, Fuxin, CHIL 2021 (arXiv 2012.15783)',
  schema: IGOS_SCHEMA,
  defaults: PAPER,
  presets: { paper: PAPER },

  async attribute(scorer, weights, options, context, start) {
    const { maskSize, iterations, integrationSteps, noise } = options;
    const alphas = evenAlphas(integrationSteps);
    const regularise = regulariser(scorer.image, maskSize, maskSize, options);
    const optimiser = nesterov(options.learningRate, options.momentum);
    const report = stage('mask', iterations, context);
    let mask = start ? complement(resampled(start, maskSize, maskSize)) : filledMask(maskSize, maskSize, 1);

    for (let i = 0; i < iterations; i++) {
      throwIfAborted(context.signal);
      const noises = (term: number) => (step: number) =>
        noise > 0 ? { sigma: noise, seed: noiseSeed(context.seed, i, term, step) } : undefined;
      const [deletion, insertion] = await integratedScores(scorer, weights, [
        { direction: 'deletion', mask, alphas, noise: noises(0) },
        { direction: 'insertion', mask, alphas, noise: noises(1) },
      ]);
      const { value, gradient } = regularise(mask, i);
      mask = optimiser.step(
        mask,
        gradient.map((g, cell) => g + deletion!.gradient[cell]! - insertion!.gradient[cell]!),
      );
      report(i + 1, deletion!.value - insertion!.value + value);
    }
    return complement(mask);
  },
};
