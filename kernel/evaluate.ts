import { z } from 'zod';
import type { CallOptions } from './call-options.ts';
import { defaultEngine } from './default-engine.ts';
import type { Metric } from './document.ts';
import { BASELINES } from './engine/tasks/question-params.ts';
import { LensError } from './errors.ts';
import { EvaluationResult } from './evaluation-result.ts';
import { portableImage } from './image/portable.ts';
import type { ImageSource } from './image/picture.ts';
import type { BaselineName } from './attribution/scorer.ts';
import { energyInside } from './metrics/energy-inside.ts';
import { pointingGame } from './metrics/pointing-game.ts';
import type { PixelMask } from './metrics/pointing-game.ts';
import { regionIou } from './metrics/region-iou.ts';
import { checked } from './options.ts';
import { ExplanationResult } from './results.ts';

export interface EvaluateOptions extends CallOptions {
  /** What stands in for removed cells. Default: 'blur', 'black', 'mean' and 'noise', since a map may only fit the one it was made with. */
  readonly baselines?: readonly BaselineName[] | undefined;
  /**
   * Where in the picture the evidence lies, for localisation: one truth, or one for each explanation (null where there is none). Its
   * size need not be the picture's.
   */
  readonly truth?: PixelMask | readonly (PixelMask | null)[] | undefined;
  /** The picture, where the explanations were read from a file and do not know it: one, or one for each. */
  readonly image?: ImageSource | readonly ImageSource[] | undefined;
  /** Seeds the noise baseline and the bootstrap. Default 0. */
  readonly seed?: number | undefined;
}

const EvaluateOptionsSchema = z.strictObject({
  baselines: z
    .array(z.enum(BASELINES))
    .min(1)
    .default([...BASELINES]),
  truth: z.custom<EvaluateOptions['truth']>().optional(),
  image: z.custom<EvaluateOptions['image']>().optional(),
  seed: z.int().min(0).max(0xffffffff).default(0),
  signal: z.custom<AbortSignal>((s) => s instanceof AbortSignal, 'It must be an AbortSignal').optional(),
  onProgress: z.custom<NonNullable<CallOptions['onProgress']>>((f) => typeof f === 'function').optional(),
});

/**
 * How faithful are maps, by measures that they were not optimised for? For each explanation: deletion and insertion with every baseline,
 * normalised and raw; whether the model's answer flips when the top eighth of the map is deleted, and when nothing else is kept; and with a
 * `truth` whether the maximum lies inside it (pointing game), how much of the heat does, and the IoU at the best and at Otsu's threshold.
 * Over several explanations: means with 95 % bootstrap intervals.
 *
 *     evaluate(await explain({ image: 'dog.jpg', question: 'What is left of the dog?' }))
 *
 * Explanations without a map are counted, not measured.
 * @throws LensError for what is no explanation, for a picture that is not the explained one, and as `explain`
 */
export async function evaluate(
  explanations: ExplanationResult | readonly ExplanationResult[],
  options: EvaluateOptions = {},
): Promise<EvaluationResult> {
  const { baselines, truth, image, seed, signal, onProgress } = checked(EvaluateOptionsSchema, options, 'evaluate()');
  const results = Array.isArray(explanations)
    ? (explanations as readonly ExplanationResult[])
    : [explanations as ExplanationResult];
  if (results.length === 0 || results.some((result) => !(result instanceof ExplanationResult))) {
    throw new LensError('evaluate() takes an explanation or a list of them', 'Give what explain() returned');
  }
  const truths = each(truth, results.length, 'truth');
  const images = each(image, results.length, 'image');
  const measured: (readonly Metric[] | null)[] = [];
  for (const [i, result] of results.entries()) {
    const { map, explanation, provenance } = result;
    if (!map) {
      measured.push(null);
      continue;
    }
    const source = images[i] ?? result.source;
    if (source === undefined) {
      throw new LensError('this explanation does not know its picture', 'Give it with the option "image"');
    }
    const metrics = await defaultEngine().call(
      'evaluate',
      {
        model: result.modelName ?? explanation.model.id,
        image: portableImage(source),
        imageHash: provenance.imageHash,
        question: result.question,
        answer: result.answer,
        generated: explanation.answer.source === 'generated',
        tokens: [...map.tokens],
        map: { rows: map.rows, cols: map.cols, data: map.data },
        baselines,
        seed,
      },
      {
        signal,
        ...(onProgress && {
          onProgress: (progress) =>
            onProgress(
              results.length === 1
                ? progress
                : { ...progress, stage: `${i + 1} of ${results.length}: ${progress.stage}` },
            ),
        }),
      },
    );
    const region = truths[i];
    measured.push(region ? [...metrics, ...localisation(map, region)] : metrics);
  }
  return new EvaluationResult(measured, seed);
}

function localisation(map: Parameters<typeof pointingGame>[0], region: PixelMask): Metric[] {
  const { best, otsu } = regionIou(map, region);
  return [
    { name: 'pointing game', value: pointingGame(map, region), better: 'higher' },
    { name: 'energy inside', value: energyInside(map, region), better: 'higher' },
    { name: 'IoU, best threshold', value: best, better: 'higher' },
    { name: 'IoU, Otsu', value: otsu, better: 'higher' },
  ];
}

/** One value for all, or a list with one for each. */
function each<T>(
  value: T | readonly (T | null)[] | undefined,
  count: number,
  name: string,
): readonly (T | null | undefined)[] {
  if (!Array.isArray(value)) return Array.from({ length: count }, () => value as T | undefined);
  if (value.length === count) return value as readonly (T | null)[];
  throw new LensError(
    `evaluate(): "${name}" has ${value.length} entries for ${count} explanations`,
    'Give one for each, or a single one',
  );
}
