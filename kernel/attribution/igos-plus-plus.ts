import { IGOS_SCHEMA, PAPER } from './igos-options.ts';
import type { IgosOptions } from './igos-options.ts';
import { evenAlphas, integratedScores } from './integrated-score.ts';
import type { IntegratedTerm } from './integrated-score.ts';
import { complement, filledMask, mapMask, narrowed } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { nesterov } from './optimisers.ts';
import { pixelNoise } from './noise-seed.ts';
import { stage, throwIfAborted } from './progress.ts';
import { regulariser } from './regulariser.ts';
import { resampled } from './bilinear.ts';
import type { Mask } from './scorer.ts';

/**
 * iGOS++: a deletion mask D and an insertion mask I, optimised together. Minimised:
 * `½·[S_ig(image→baseline; D) − S_ig(baseline→image; I) + S_ig(image→baseline; D·I) − S_ig(baseline→image; D·I)]
 *  + l1·mean|1 − D·I| + l3·BTV(D·I) + l2·exp(−gamma·i)·Σ(1 − D·I)²`.
 * The product is taken cell by cell before up-sampling, and 1 − D·I is the result.
 * Costs 4 · integrationSteps gradient evaluations an iteration.
 */
export const igosPlusPlus: AttributionMethod<IgosOptions> = {
  name: 'igos++',
  summary: 'Two masks, one that deletes and one that inserts, optimised together; slower and sharper than igos+.',
  source: 'Khorram, Lawson, Fuxin, CHIL 2021 (arXiv 2012.15783); on LVLMs: Xing et al., arXiv 2503.13891',
  schema: IGOS_SCHEMA,
  defaults: PAPER,
  presets: { paper: PAPER },

  async attribute(scorer, weights, options, context, start) {
    const { maskSize, iterations, integrationSteps, noise } = options;
    const alphas = evenAlphas(integrationSteps);
    const regularise = regulariser(scorer.image, maskSize, maskSize, options);
    const report = stage('mask', iterations, context);
    const prior = start && resampled(start, maskSize, maskSize);
    let deletion = filledMask(maskSize, maskSize, 1);
    let insertion = deletion;
    const optimisers = [
      nesterov(options.learningRate, options.momentum),
      nesterov(options.learningRate, options.momentum),
    ];

    for (let i = 0; i < iterations; i++) {
      throwIfAborted(context.signal);
      const product = times(deletion, insertion);
      const term = (direction: IntegratedTerm['direction'], mask: Mask, index: number): IntegratedTerm => ({
        direction,
        mask,
        alphas,
        noise: pixelNoise(noise, context.seed, i, index),
      });
      const [del, ins, both, bothIns] = await integratedScores(scorer, weights, [
        term('deletion', deletion, 0),
        term('insertion', insertion, 1),
        term('deletion', product, 2),
        term('insertion', product, 3),
      ]);
      const { value, gradient } = regularise(product, i);
      // ∂/∂(D·I) of everything that depends on the product; the chain rule hands it to each factor times the other.
      const onProduct = gradient.map((g, cell) => g + (both!.gradient[cell]! - bothIns!.gradient[cell]!) / 2);
      const onDeletion = onProduct.map((g, cell) => g * insertion.data[cell]! + del!.gradient[cell]! / 2);
      const onInsertion = onProduct.map((g, cell) => g * deletion.data[cell]! - ins!.gradient[cell]! / 2);
      deletion = optimisers[0]!.step(deletion, onDeletion);
      insertion = optimisers[1]!.step(insertion, onInsertion);
      if (i === 0 && prior) [deletion, insertion] = [narrowed(deletion, prior), narrowed(insertion, prior)];
      const now = times(deletion, insertion);
      report(i + 1, (del!.value - ins!.value + both!.value - bothIns!.value) / 2 + value, () => complement(now));
    }
    return complement(times(deletion, insertion));
  },
};

const times = (a: Mask, b: Mask): Mask => mapMask(a, (value, cell) => value * b.data[cell]!);
