import path from 'node:path';
import { z } from 'zod';
import type { MethodChoice } from './attribution/methods.ts';
import type { BaselineName, Progress } from './attribution/scorer.ts';
import type { TokenChoice } from './attribution/token-selection.ts';
import type { DtypeChoice } from './hub/index.ts';
import { defaultModel } from './defaults.ts';
import { EXPLAIN_SHAPE, QUESTION_SHAPE } from './engine/tasks/question-params.ts';
import { portableImage } from './image/portable.ts';
import type { ImageSource } from './image/picture.ts';
import { referenceText } from './model/reference.ts';

/** What every call that may take long accepts. */
export interface CallOptions {
  /** Aborts the call: it rejects with `AbortError`, and the next call works. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each step: what is being done, how far it is, the objective's value and the time left for this stage. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A model by name or folder, with data types perhaps (`'folder#q4'`), or as `loadModel` gave it. */
export type ModelChoice = string | { readonly id: string };

export interface QuestionOptions extends CallOptions {
  /** A path, a URL, the bytes of an image file, or pixels. */
  readonly image: ImageSource;
  readonly question: string;
  /** Default: LVLM_LENS_MODEL in the environment, else 'pocket'. */
  readonly model?: ModelChoice | undefined;
  /** Scored instead of the model's own, greedy answer. */
  readonly answer?: string | undefined;
  /**
   * Which tokens to explain: 'visual' (default) those whose log-likelihood ratio exceeds the threshold and that are neither stop
   * words nor punctuation; 'all'; their indexes; or words of the answer.
   */
  readonly tokens?: TokenChoice | undefined;
  /**
   * α: the log-likelihood ratio (natural logarithm) above which a token depends on the image. Default 'auto': 1.0 as in the paper and,
   * where no token reaches that, 0.1, for answers such as "yes" that are easily guessed. The result records which one was used.
   */
  readonly threshold?: number | 'auto' | undefined;
  /**
   * What the image is compared with and replaced by: 'blur', 'black', 'mean' (the mean colour) or 'noise'. Default 'auto': blur as in the
   * paper and, where no token depends on what blur takes away, black, which takes away colour too.
   */
  readonly baseline?: BaselineName | 'auto' | undefined;
  /** Greatest length of a generated answer. Default 64. */
  readonly maxNewTokens?: number | undefined;
  /** Seeds all noise: the same seed gives the same result. Default 0. */
  readonly seed?: number | undefined;
  /**
   * Right answers, any of which will do: the result then says whether the answer is right, by exact match after case, punctuation,
   * articles and number words have been made the same.
   */
  readonly references?: string | readonly string[] | undefined;
  /** Options of a multiple-choice question in their order (A, B, …); references and answer may be letters then, or texts of options. */
  readonly choices?: readonly string[] | undefined;
}

export interface ExplainOptions extends QuestionOptions {
  /**
   * The name of a method: 'lens' (default), 'igos+', 'igos++', 'integrated-gradients', 'smooth-grad', 'input-x-gradient', 'grad-cam',
   * 'vision-grad-cam', 't-mm', 'attention-rollout', 'raw-attention', 'tam', 'occlusion', 'rise', 'grid-queries' or 'superpixel-search'; or an object
   * with the name, a preset and options of the method: `{ name: 'igos+', preset: 'paper', iterations: 10 }`.
   */
  readonly method?: string | MethodChoice | undefined;
  /** A named set of the method's options: 'default', or 'paper' for iGOS+ and iGOS++. */
  readonly preset?: string | undefined;
  /** Maps of single tokens: true (default) for every selected token, false for none, or the greatest number of them. */
  readonly perToken?: boolean | number | undefined;
  /**
   * Of a model with several encoders, what each contributed, by masking one encoder's view alone: true (default), false, or 'maps' for a map of
   * each encoder too.
   */
  readonly encoders?: boolean | 'maps' | undefined;
  /** Baselines with which deletion and insertion are measured. Default: the one that was optimised with; false measures nothing. */
  readonly metrics?: readonly BaselineName[] | false | undefined;
}

const Model = z
  .union(
    [
      z.string().min(1),
      z.looseObject({
        id: z.string().min(1),
        folder: z.string().min(1).optional(),
        dtypes: z.record(z.string(), z.string()).optional(),
      }),
    ],
    'It must be an embedded model’s name, a folder, a name on the Hub, or what loadModel() returned',
  )
  // Relative folders start from this process's working directory, which the engine need not share.
  // A loaded model is what was loaded, even where its name has come to mean another revision since.
  .transform((model) =>
    typeof model === 'string'
      ? model
      : referenceText(model.folder ?? model.id, model.dtypes as DtypeChoice | undefined),
  )
  .transform((id) => (/^\.{1,2}([\\/]|$)/.test(id) ? path.resolve(id) : id));

const Image = z
  .custom<ImageSource>(
    (image) => typeof image === 'string' || (typeof image === 'object' && image !== null),
    'give a path, a URL, a Buffer or ImageData',
  )
  .transform((image) => portableImage(image));

/** What every call that may take long accepts. */
export const CALL_SHAPE = {
  signal: z.custom<AbortSignal>((s) => s instanceof AbortSignal, 'It must be an AbortSignal').optional(),
  onProgress: z
    .custom<(progress: Progress) => void>((f) => typeof f === 'function', 'It must be a function')
    .optional(),
} as const;

const References = z
  .union([z.string(), z.array(z.string()).min(1)], 'It must be an answer or a list of acceptable answers')
  .transform((references) => [references].flat());

const FROM_THE_CALLER = {
  image: Image,
  model: Model.prefault(defaultModel),
  references: References.optional(),
  choices: z.array(z.string().min(1)).min(2).max(26).optional(),
  ...CALL_SHAPE,
} as const;

export const LoadModelOptionsSchema = z.strictObject({
  ...CALL_SHAPE,
  revision: z.string().min(1).optional(),
  // Which data types there are, the download says, with what the model has.
  dtype: z.custom<DtypeChoice>((d) => typeof d === 'string' || (typeof d === 'object' && d !== null)).optional(),
});
export const ModelSchema = z.strictObject({ model: Model.prefault(defaultModel) });
export const SelectTokensOptionsSchema = z.strictObject({ ...QUESTION_SHAPE, ...FROM_THE_CALLER });
export const ExplainOptionsSchema = z.strictObject({ ...QUESTION_SHAPE, ...EXPLAIN_SHAPE, ...FROM_THE_CALLER });
