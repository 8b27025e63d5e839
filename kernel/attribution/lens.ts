import { z } from 'zod';
import { resampled } from './bilinear.ts';
import { against, BASELINE_CHOICES } from './baseline-choice.ts';
import type { BaselineChoice } from './baseline-choice.ts';
import { contrasted } from './contrast.ts';
import { goldenAlphas, integratedScores } from './integrated-score.ts';
import { jointBilateral } from './joint-bilateral.ts';
import { complement, filledMask, mapMask, narrowed } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { pixelNoise } from './noise-seed.ts';
import { normalised } from './optimisers.ts';
import { stage, throwIfAborted } from './progress.ts';
import { regulariser } from './regulariser.ts';
import { NEARLY_LOG_ODDS } from './scorer.ts';
import type { Mask } from './scorer.ts';
import { smoothed } from './smoothing.ts';
import { checkRounds, spotChecked } from './spot-checks.ts';
import { meanProbability } from './token-means.ts';

export interface LensOptions {
  /** Rows and columns of the mask. */
  readonly maskSize: number;
  /** Steps of the joint map; each costs 2 · integrationSteps gradient evaluations. */
  readonly iterations: number;
  /** Steps of a token's map, which starts from the joint one. */
  readonly startedIterations: number;
  /** K: places on the path at which each integrated score is evaluated. */
  readonly integrationSteps: number;
  /** What replaces the image, in turn: iteration i takes the one at i mod their number. */
  readonly baselines: readonly BaselineChoice[];
  /** What is scored: log p of the tokens (0) up to nearly their log-odds (below 1); see `GradientRequest.odds`. */
  readonly odds: number;
  /** η: by how much a step moves the cell that matters most. */
  readonly learningRate: number;
  /** β: the share of the last velocity. */
  readonly momentum: number;
  /** Weight of the mask's mean absence. */
  readonly l1: number;
  /** Weight of the bilateral total variation. */
  readonly l3: number;
  /** σ of the Gaussian noise on the blended image, in normalised pixel units, as in the paper. */
  readonly noise: number;
  /** σ of the Gaussian that smooths the finished map, in cells. */
  readonly smoothing: number;
  /** How different what two cells show may look, in normalised pixel units, for one to smooth the other; 0: looks do not matter. */
  readonly tolerance: number;
  /** The saliency, as a share of the greatest, that becomes one half; 0 leaves the map as it is. See `contrasted`. */
  readonly knee: number;
  /** How many of the joint map's hottest spots the model is asked about one by one, at most; 0 leaves the map unchecked. See `spotChecked`. */
  readonly spots: number;
  /** What takes the place of what is hidden in these checks, each in turn. */
  readonly spotBaselines: readonly BaselineChoice[];
}

const DEFAULTS: Readonly<LensOptions> = {
  maskSize: 32,
  iterations: 5,
  startedIterations: 2,
  integrationSteps: 2,
  baselines: ['own', 'mean', 'black', 'noise'],
  odds: NEARLY_LOG_ODDS,
  learningRate: 0.4,
  momentum: 0.5,
  l1: 1,
  l3: 10,
  noise: 0.2,
  smoothing: 2.5,
  tolerance: 0.15,
  knee: 0.3,
  spots: 10,
  spotBaselines: ['own', 'noise'],
};

/** Baselines that take turns. */
const baselineList = z.array(z.enum(BASELINE_CHOICES)).min(1).max(16);

/**
 * LVLM Lens' own method: iGOS+ with few steps that each see another baseline. One mask M from 1 everywhere; for i = 0 … iterations − 1, with b
 * the baseline whose turn it is,
 *
 *     L_i(M) = S_del(M; b) − S_ins(M; b) + l1·mean|1 − M| + l3·BTV(M)
 *     S_del = 1/K Σ_k S(φ_b(α_k·M)),   S_ins = 1/K Σ_k S(φ_b(1 − α_k·M)),   φ_b(M) = image·M + b·(1 − M)
 *     v_i = β·v_{i−1} + ∇L_i(M),   M ← clip(M − η·v_i/max|v_i|, 0, 1)
 *
 * and the map is `r·contrasted(checked(JBF(mean_i(1 − M_i))))`, with JBF the joint bilateral filter (`jointBilateral`) and its hottest spots checked by looking
 * (`spotChecked`). r is the range of the tokens' mean probability over all that was evaluated on the way: of a word that stays likely whatever is taken
 * away the map is low everywhere, so that maps of one answer can be compared. What differs from iGOS+ and why (docs/lens.md has each one's effect):
 * - S is the tokens' log-odds. Of an answer that the model is sure of, log p has no slope where the mask starts.
 * - Baselines alternate, so that M cannot fit what one of them happens to look like.
 * - α_k lie in the K-ths of (0, 1] where the golden ratio's sequence puts them, elsewhere in each iteration: together the few
 *   evaluations cover the path as evenly as many would.
 * - Steps have a given size, so that few are enough whatever the gradient's scale, and the mean of all masks has no ties where the last one saturates.
 * - The map is smoothed within what looks alike, so that its heat stays on the object.
 * - The model is asked whether the hottest spots matter, which costs no gradient and which noise in the gradients does not survive. Where none
 *   does, the map is not smoothed: it shows the noise that it is.
 *
 * A token's map takes `startedIterations`, is narrowed to the joint map after the first, and is not checked again. The joint map costs
 * 2 · integrationSteps · iterations gradient evaluations, 20, and 1 + 2·(1 + 2·spots) forward ones, 43.
 */
export const lens: AttributionMethod<LensOptions> = {
  name: 'lens',
  summary:
    'One mask in a few large steps, each against another baseline, its hottest spots checked by looking: a fifth of the gradients of igos+ with the paper’s settings.',
  source: 'LVLM Lens, after Xing et al. (arXiv 2503.13891) and Khorram, Lawson, Fuxin, CHIL 2021 (arXiv 2012.15783)',
  schema: z.strictObject({
    maskSize: z.int().min(2).max(128),
    iterations: z.int().min(1).max(1000),
    startedIterations: z.int().min(1).max(1000),
    integrationSteps: z.int().min(1).max(1000),
    baselines: baselineList,
    odds: z.number().min(0).max(0.9999),
    learningRate: z.number().positive().max(1),
    momentum: z.number().min(0).max(0.9999),
    l1: z.number().min(0).max(1e6),
    l3: z.number().min(0).max(1e6),
    noise: z.number().min(0).max(10),
    smoothing: z.number().min(0).max(16),
    tolerance: z.number().min(0).max(100),
    knee: z.number().min(0).max(1),
    spots: z.int().min(0).max(1024),
    spotBaselines: baselineList,
  }),
  defaults: DEFAULTS,

  async attribute(scorer, weights, options, context, start) {
    const { maskSize, integrationSteps, baselines, odds, noise } = options;
    const iterations = start ? options.startedIterations : options.iterations;
    const regularise = regulariser(scorer.image, maskSize, maskSize, { ...options, l2: 0, gamma: 0 });
    const optimiser = normalised(options.learningRate, options.momentum);
    const checks = { spots: start ? 0 : options.spots, baselines: options.spotBaselines };
    const steps = iterations + checkRounds(checks);
    const report = stage('mask', steps, context);
    const prior = start && resampled(start, maskSize, maskSize);
    let mask = filledMask(maskSize, maskSize, 1);
    let mean = filledMask(maskSize, maskSize, 0);
    const range = new Range();
    const seen = (logp: readonly Float32Array[]): void => {
      for (const tokens of logp) range.add(meanProbability(tokens, weights));
    };
    const smooth = (saliency: Mask): Mask => {
      const { smoothing, tolerance } = options;
      const within = smoothing > 0 && tolerance > 0;
      return within ? jointBilateral(saliency, scorer.image, smoothing, tolerance) : smoothed(saliency, smoothing);
    };
    const finished = (heat: Mask): Mask => mapMask(contrasted(heat, options.knee), (value) => value * range.width);

    for (let i = 0; i < iterations; i++) {
      throwIfAborted(context.signal);
      const baseline = baselines[i % baselines.length]!;
      const path = (term: number) => ({
        mask,
        odds,
        alphas: goldenAlphas(integrationSteps, 2 * i + term),
        noise: pixelNoise(noise, context.seed, i, term),
        ...against(baseline),
      });
      const [deletion, insertion] = await integratedScores(scorer, weights, [
        { ...path(0), direction: 'deletion' },
        { ...path(1), direction: 'insertion' },
      ]);
      seen([...deletion!.logp, ...insertion!.logp]);
      const { value, gradient } = regularise(mask, i);
      mask = optimiser.step(
        mask,
        gradient.map((g, cell) => g + deletion!.gradient[cell]! - insertion!.gradient[cell]!),
      );
      // The joint map says where anything is; the first step from the whole image says what of it is this token's.
      if (i === 0 && prior) mask = narrowed(mask, prior);
      const now = complement(mask);
      mean = mapMask(mean, (total, cell) => total + now.data[cell]! / iterations);
      const soFar = mean;
      report(i + 1, deletion!.value - insertion!.value + value, () => finished(smooth(soFar)));
    }

    let round = iterations;
    const checked = await spotChecked(scorer, weights, smooth(mean), checks, context, (logp) => {
      seen(logp);
      report(++round);
    });
    if (round < steps) report(steps);
    if (checks.spots > 0) context.onChecked?.(checked !== undefined);
    // What no look confirms is shown as the steps left it: smooth hills would look like a finding.
    return finished(checked ?? mean);
  },
};

/** The least and the greatest of some values. */
class Range {
  #least = Infinity;
  #most = -Infinity;

  add(value: number): void {
    this.#least = Math.min(this.#least, value);
    this.#most = Math.max(this.#most, value);
  }

  get width(): number {
    return this.#most - this.#least;
  }
}
