import { z } from 'zod';
import { throwIfAborted } from '../../attribution/progress.ts';
import type { Mask } from '../../attribution/scorer.ts';
import type { Metric } from '../../document.ts';
import { LensError } from '../../errors.ts';
import { blended } from '../../image/blend.ts';
import { decodeImage } from '../../image/decode.ts';
import { flips } from '../../metrics/flips.ts';
import { removalCurves } from '../../metrics/removal-curves.ts';
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
  /** Indexes of the explained tokens. */
  tokens: z.array(z.int().min(0)).min(1),
  map: z.custom<Mask>((map) => typeof map === 'object'),
  baselines: z.array(z.enum(BASELINES)).min(1),
  seed: z.int().min(0),
});
export type EvaluateParams = z.infer<typeof EvaluateParams>;

/** How much of a curve lies under it without normalisation: the mean probability along it. */
const raw = (y: readonly number[], image: number, nothing: number): number =>
  y.reduce((sum, value) => sum + value * (image - nothing) + nothing, 0) / y.length;

/** Measures one joint map anew, with every baseline: deletion and insertion, normalised and raw, and whether the answer flips. */
export const evaluate: Task<EvaluateParams, readonly Metric[]> = {
  params: EvaluateParams,
  async run({ params, models, signal, onProgress }) {
    const { question, answer, tokens, map, baselines, seed } = params;
    const [model, picture] = await Promise.all([models.open(params.model), decodeImage(params.image)]);
    if (picture.hash !== params.imageHash) {
      throw new LensError(
        'this is not the picture that was explained: its pixels differ',
        'Give the picture of the explanation with the option "image"',
      );
    }
    const scorer = await model.scorer(picture, question, answer, { seed, signal });
    const metrics: Metric[] = [];
    for (const [step, baseline] of baselines.entries()) {
      onProgress({ stage: `removing (${baseline})`, step, steps: baselines.length });
      throwIfAborted(signal);
      const curves = await removalCurves(scorer, map, tokens, { baseline });
      for (const name of ['deletion', 'insertion'] as const) {
        if (curves === undefined) continue;
        const better = name === 'deletion' ? 'lower' : 'higher';
        const { score, y } = curves[name];
        metrics.push({ name: `${name} (${baseline})`, value: score, better });
        metrics.push({ name: `raw ${name} (${baseline})`, value: raw(y, curves.image, curves.nothing), better });
      }
      if (!params.generated) continue;
      const { deleted, kept } = await flips(map, FLIP_SHARE, answer, async (mask) => {
        throwIfAborted(signal);
        return (await model.answer(await blended(picture, baseline, mask, seed), question, { signal })).text;
      });
      metrics.push({ name: `flips when deleted (${baseline})`, value: Number(deleted), better: 'higher' });
      metrics.push({ name: `flips when kept (${baseline})`, value: Number(kept), better: 'lower' });
    }
    onProgress({ stage: 'removing', step: baselines.length, steps: baselines.length });
    return metrics;
  },
};
