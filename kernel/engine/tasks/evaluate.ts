import { z } from 'zod';
import { throwIfAborted } from '../../attribution/progress.ts';
import type { BaselineName, Mask } from '../../attribution/scorer.ts';
import type { Metric } from '../../document.ts';
import { LensError } from '../../errors.ts';
import { blended } from '../../image/blend.ts';
import { decodeImage } from '../../image/decode.ts';
import type { Picture } from '../../image/picture.ts';
import { flips } from '../../metrics/flips.ts';
import { measured } from '../../metrics/metrics.ts';
import { removalCurves } from '../../metrics/removal-curves.ts';
import type { AnswerOptions, LoadedModel } from '../../model/loaded-model.ts';
import { ImageParam, ModelParam } from '../params.ts';
import type { Task } from '../task.ts';
import { BASELINES } from './question-params.ts';

/** What the answer flip takes away or keeps, as the benchmarks do: the top eighth. */
export const FLIP_SHARE = 0.125;

const EvaluateParams = z.strictObject({
  model: ModelParam,
  image: ImageParam,
  /** SHA-256 of the pixels that were explained. */
  imageHash: z.string(),
  question: z.string(),
  answer: z.string(),
  /** Whether the model gave the answer by itself: only then can it be seen to change. */
  generated: z.boolean(),
  /** That it gave at most. */
  maxNewTokens: z.int().min(1).default(64),
  /** Indexes of the explained tokens. */
  tokens: z.array(z.int().min(0)).min(1),
  map: z.custom<Mask>((map) => typeof map === 'object'),
  baselines: z.array(z.enum(BASELINES)).min(1),
  /** Of the curves; as the paper has it where absent. */
  steps: z.int().min(1).optional(),
  seed: z.int().min(0),
});
export type EvaluateParams = z.infer<typeof EvaluateParams>;

/** The model's own answer to a question about a picture seen through a mask, with a baseline in the place of what is hidden. */
export const answerThrough =
  (
    model: LoadedModel,
    picture: Picture,
    question: string,
    { baseline, seed, ...options }: AnswerOptions & { readonly baseline: BaselineName; readonly seed: number },
  ) =>
  async (mask: Mask): Promise<string> => {
    throwIfAborted(options.signal);
    const seen = await blended(picture, baseline, mask, seed);
    return (await model.answer(seen, question, options)).text;
  };

/** Measures one joint map anew, with every baseline: deletion and insertion, normalised and raw, and whether the answer flips. */
export const evaluate: Task<EvaluateParams, readonly Metric[]> = {
  params: EvaluateParams,
  async run({ params, models, signal, onProgress }) {
    const { question, answer, tokens, map, baselines, steps, seed } = params;
    const [model, picture] = await Promise.all([models.open(params.model), decodeImage(params.image)]);
    if (picture.hash !== params.imageHash) {
      throw new LensError(
        'this is not the picture that was explained: its pixels differ',
        'Give the picture of the explanation with the option "image"',
      );
    }
    const scorer = await model.scorer(picture, question, answer, { seed, signal });
    // An answer that has become longer is another one, however long it would have been.
    const maxNewTokens = Math.min(scorer.tokenCount + 1, params.maxNewTokens);
    const metrics: Metric[] = [];
    for (const [step, baseline] of baselines.entries()) {
      onProgress({ stage: `removing (${baseline})`, step, steps: baselines.length });
      throwIfAborted(signal);
      const curves = await removalCurves(scorer, map, tokens, { baseline, ...(steps && { steps }) });
      if (curves) metrics.push(...measured('curves', curves, baseline));
      if (!params.generated) continue;
      const answerOf = answerThrough(model, picture, question, { baseline, seed, signal, maxNewTokens });
      const flipped = await flips(map, FLIP_SHARE, answer, answerOf);
      metrics.push(...measured('flips', flipped, baseline));
    }
    onProgress({ stage: 'removing', step: baselines.length, steps: baselines.length });
    return metrics;
  },
};
