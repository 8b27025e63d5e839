import { z } from 'zod';
import { seededRandom } from '../image/random.ts';
import { resampled } from './bilinear.ts';
import { NEARLY_LOG_ODDS } from './scorer.ts';
import { IGOS_SCHEMA, PAPER } from './igos-options.ts';
import type { IgosOptions } from './igos-options.ts';
import { evenAlphas, integratedScores, randomAlphas } from './integrated-score.ts';
import { complement, filledMask, mapMask, narrowed } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { noiseSeed, pixelNoise } from './noise-seed.ts';
import { nesterov, normalised } from './optimisers.ts';
import { stage, throwIfAborted } from './progress.ts';
import { smoothed } from './smoothing.ts';
import { regulariser } from './regulariser.ts';

export interface IgosPlusOptions extends IgosOptions {
  /** 'nesterov' as in the paper, or 'normalised': steps of a given size whatever the gradient's scale. */
  readonly optimiser: 'nesterov' | 'normalised';
  /** Where the integrated scores are evaluated: at k/K as in the paper, or at a random place within each K-th. */
  readonly intervals: 'even' | 'random';
  /** Iterations of a token's map, which starts from the joint one. */
  readonly startedIterations: number;
  /** Steps of the integrated scores at the first iteration, from which the whole map starts. */
  readonly firstSteps: number;
  /** What is scored: log p of the tokens (0, as in the paper) up to nearly their log-odds (below 1); see `GradientRequest.odds`. */
  readonly odds: number;
  /** σ of the Gaussian that smooths the finished map, in cells; 0 for none. A single cell's height is mostly the noise of few steps. */
  readonly smoothing: number;
  /** The mean of all iterations' masks instead of the last one: less noise, and no ties where the last one saturates. */
  readonly average: boolean;
}

const SCHEMA = IGOS_SCHEMA.extend({
  optimiser: z.enum(['nesterov', 'normalised']),
  intervals: z.enum(['even', 'random']),
  startedIterations: z.int().min(1).max(1000),
  firstSteps: z.int().min(1).max(1000),
  odds: z.number().min(0).max(0.9999),
  smoothing: z.number().min(0).max(16),
  average: z.boolean(),
});

const PAPER_PLUS: Readonly<IgosPlusOptions> = {
  ...PAPER,
  optimiser: 'nesterov',
  intervals: 'even',
  startedIterations: PAPER.iterations,
  firstSteps: PAPER.integrationSteps,
  odds: 0,
  smoothing: 0,
  average: false,
};

const DEFAULTS: Readonly<IgosPlusOptions> = {
  ...PAPER_PLUS,
  optimiser: 'normalised',
  intervals: 'random',
  iterations: 6,
  startedIterations: 3,
  integrationSteps: 2,
  firstSteps: 4,
  learningRate: 0.4,
  momentum: 0.5,
  l2: 0,
  odds: NEARLY_LOG_ODDS,
  smoothing: 1,
  average: true,
};

/** Apart from the numbers for noise, so that neither follows from the other. */
const ALPHA_SEED = 0xa1fa;

/**
 * iGOS+: one mask M that both deletes and inserts. Minimised:
 * `S_ig(image→baseline; M) − S_ig(baseline→image; M) + l1·mean|1 − M| + l3·BTV(M) + l2·exp(−gamma·i)·Σ(1 − M)²`.
 * Costs 2 · integrationSteps gradient evaluations an iteration, 2 · firstSteps in the first.
 */
export const igosPlus: AttributionMethod<IgosPlusOptions> = {
  name: 'igos+',
  summary: 'One mask, optimised so that removing what it marks destroys the answer and showing only that restores it.',
  source: 'Xing et al., arXiv 2503.13891, after Khorram, Lawson, Fuxin, CHIL 2021 (arXiv 2012.15783)',
  schema: SCHEMA,
  defaults: DEFAULTS,
  presets: { paper: PAPER_PLUS },

  async attribute(scorer, weights, options, context, start) {
    const { maskSize, integrationSteps, firstSteps, learningRate, momentum, noise, odds } = options;
    const iterations = start ? options.startedIterations : options.iterations;
    const regularise = regulariser(scorer.image, maskSize, maskSize, options);
    const optimiser = (options.optimiser === 'nesterov' ? nesterov : normalised)(learningRate, momentum);
    const random = seededRandom(noiseSeed(context.seed, ALPHA_SEED));
    const alphas = (count: number) =>
      options.intervals === 'even' ? evenAlphas(count) : randomAlphas(count, () => random.uniform());
    const report = stage('mask', iterations, context);
    const prior = start && resampled(start, maskSize, maskSize);
    let mask = filledMask(maskSize, maskSize, 1);
    let sum = filledMask(maskSize, maskSize, 0);

    for (let i = 0; i < iterations; i++) {
      throwIfAborted(context.signal);
      const steps = i === 0 ? firstSteps : integrationSteps;
      const noises = (term: number) => pixelNoise(noise, context.seed, i, term);
      const [deletion, insertion] = await integratedScores(scorer, weights, [
        { direction: 'deletion', mask, odds, alphas: alphas(steps), noise: noises(0) },
        { direction: 'insertion', mask, odds, alphas: alphas(steps), noise: noises(1) },
      ]);
      const { value, gradient } = regularise(mask, i);
      mask = optimiser.step(
        mask,
        gradient.map((g, cell) => g + deletion!.gradient[cell]! - insertion!.gradient[cell]!),
      );
      // The joint map says where anything is; the first step from the whole image says what of it is this token's.
      if (i === 0 && prior) mask = narrowed(mask, prior);
      const now = mask;
      sum = mapMask(sum, (m, cell) => m + now.data[cell]! / iterations);
      const soFar = options.average ? mapMask(sum, (m) => (m * iterations) / (i + 1)) : now;
      report(i + 1, deletion!.value - insertion!.value + value, () => smoothed(complement(soFar), options.smoothing));
    }
    return smoothed(complement(options.average ? sum : mask), options.smoothing);
  },
};
