import { z } from 'zod';
import type { CallOptions } from './call-options.ts';
import { defaultEngine } from './default-engine.ts';
import type { Metric } from './document.ts';
import { BASELINES } from './engine/tasks/question-params.ts';
import { LensError } from './errors.ts';
import { EvaluationResult } from './evaluation-result.ts';
import { CHECKS, explainedAgain, ShuffledModels } from './explain-again.ts';
import type { Check } from './explain-again.ts';
import { portableImage } from './image/portable.ts';
import type { ImageSource } from './image/picture.ts';
import type { BaselineName } from './attribution/scorer.ts';
import { measured } from './metrics/metrics.ts';
import type { PixelMask } from './metrics/pointing-game.ts';
import type { TokenMap, WordTruth } from './metrics/word-iou.ts';
import { checked } from './options.ts';
import { ExplanationResult } from './results.ts';

export interface EvaluateOptions extends CallOptions {
  /** What stands in for removed cells. Default: 'blur', 'black', 'mean' and 'noise', since a map may only fit the one it was made with. */
  readonly baselines?: readonly BaselineName[] | undefined;
  /** In about how many steps the image is removed, for deletion and insertion. Default 50, as in the paper; fewer are faster and coarser. */
  readonly steps?: number | undefined;
  /**
   * Where in the picture the evidence lies, for localisation: one truth, or one for each explanation (null where there is none). Its
   * size need not be the picture's.
   */
  readonly truth?: PixelMask | readonly (PixelMask | null)[] | undefined;
  /**
   * Words of the answer that name things, and where those are, for Obj-IoU, Func-IoU and F1-IoU (TAM's protocol): one list, or one for each
   * explanation. Needs maps of the tokens of these words and of function words: `explain({ …, tokens: 'all' })`.
   */
  readonly words?: readonly WordTruth[] | readonly (readonly WordTruth[] | null)[] | undefined;
  /**
   * Explains again with one thing changed, and compares the maps: another 'seed', the picture 'shift'ed by one pixel, or the model's 'weights'
   * shuffled (in a temporary copy of the model). Each costs a joint map. Default: none.
   */
  readonly checks?: readonly Check[] | undefined;
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
  steps: z.int().min(1).max(100_000).optional(),
  truth: z.custom<EvaluateOptions['truth']>().optional(),
  words: z.custom<EvaluateOptions['words']>().optional(),
  checks: z.array(z.enum(CHECKS)).default([]),
  image: z.custom<EvaluateOptions['image']>().optional(),
  seed: z.int().min(0).max(0xffffffff).default(0),
  signal: z.custom<AbortSignal>((s) => s instanceof AbortSignal, 'It must be an AbortSignal').optional(),
  onProgress: z.custom<NonNullable<CallOptions['onProgress']>>((f) => typeof f === 'function').optional(),
});

/**
 * How faithful are maps, by measures that they were not optimised for? For each explanation: deletion and insertion with every baseline,
 * normalised and raw; whether the model's answer flips when the top eighth of the map is deleted, and when nothing else is kept; what it cost;
 * with a `truth` whether the maximum lies inside it (pointing game), how much of the heat does, and the IoU at the best and at Otsu's threshold;
 * with `words` how well their own maps fit; and by `checks` whether the map stays when it should, and goes when it should.
 * Over several explanations: means with 95 % bootstrap intervals. docs/faithfulness.md says what each measure is.
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
  const { baselines, steps, truth, words, checks, image, seed, signal, onProgress } = checked(
    EvaluateOptionsSchema,
    options,
    'evaluate()',
  );
  const results = Array.isArray(explanations)
    ? (explanations as readonly ExplanationResult[])
    : [explanations as ExplanationResult];
  if (results.length === 0 || results.some((result) => !(result instanceof ExplanationResult))) {
    throw new LensError('evaluate() takes an explanation or a list of them', 'Give what explain() returned');
  }
  const truths = each(truth, results.length, 'truth');
  const images = each(image, results.length, 'image');
  const wordLists = eachList(words, results.length);
  const shuffled = new ShuffledModels();
  const found: (readonly Metric[] | null)[] = [];
  try {
    for (const [i, result] of results.entries()) {
      const { map, explanation, provenance } = result;
      if (!map) {
        found.push(null);
        continue;
      }
      const source = images[i] ?? result.source;
      if (source === undefined) {
        throw new LensError('this explanation does not know its picture', 'Give it with the option "image"');
      }
      const portable = portableImage(source);
      const call: CallOptions = {
        signal,
        ...(onProgress && {
          onProgress: (progress) =>
            onProgress(
              results.length === 1
                ? progress
                : { ...progress, stage: `${i + 1} of ${results.length}: ${progress.stage}` },
            ),
        }),
      };
      const { maxNewTokens } = provenance.parameters;
      const metrics = await defaultEngine().call(
        'evaluate',
        {
          model: result.modelName ?? explanation.model.id,
          image: portable,
          imageHash: provenance.imageHash,
          question: result.question,
          answer: result.answer,
          generated: explanation.answer.source === 'generated',
          maxNewTokens: typeof maxNewTokens === 'number' ? maxNewTokens : 64,
          tokens: [...map.tokens],
          map: { rows: map.rows, cols: map.cols, data: map.data },
          baselines,
          steps,
          seed,
        },
        call,
      );
      const region = truths[i];
      const named = wordLists[i];
      const { forward, gradient } = provenance.evaluations;
      const milliseconds = Object.values(provenance.milliseconds).reduce((sum, part) => sum + part, 0);
      found.push([
        ...metrics,
        ...(region ? measured('located', { map, truth: region }) : []),
        ...(named ? measured('words', { answer: result.answer, words: named, maps: tokenMaps(result) }) : []),
        ...(await explainedAgain(result, map, portable, checks, shuffled, call)),
        ...measured('cost', { forward, gradient, milliseconds }),
      ]);
    }
  } finally {
    await shuffled.remove();
  }
  return new EvaluationResult(found, seed);
}

/** The maps of single tokens, with their places in the answer. */
export function tokenMaps({ maps, tokens }: ExplanationResult): TokenMap[] {
  const single = maps.filter(({ role }) => role === 'token');
  if (single.length === 0) {
    throw new LensError(
      'evaluate(): "words" needs maps of single tokens, and this explanation has none',
      "Explain with tokens: 'all' and perToken: true",
    );
  }
  return single.map((map) => {
    const { start, end } = tokens[map.tokens[0]!]!;
    return { start, end, map };
  });
}

/** One list for the only explanation, or a list of lists. */
function eachList(
  words: EvaluateOptions['words'],
  count: number,
): readonly (readonly WordTruth[] | null | undefined)[] {
  const nested = words?.some((entry) => entry === null || Array.isArray(entry)) ?? false;
  return each(
    nested ? (words as readonly (readonly WordTruth[] | null)[]) : words && [words as readonly WordTruth[]],
    count,
    'words',
  );
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
