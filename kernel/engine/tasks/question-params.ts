import { z } from 'zod';
import { defaultMethod } from '../../defaults.ts';
import { DEFAULT_METHOD } from '../../attribution/methods.ts';
import { ImageParam, ModelParam } from '../params.ts';

/** What may stand in for the image, and what each is. */
export const BASELINES = ['blur', 'black', 'mean', 'noise'] as const;

const Baseline = z.enum(BASELINES);

/**
 * What 'auto' stands for: the paper's baseline, then, where that changes no token, one that takes away colour too. A blurred picture
 * still shows what colour its background is.
 */
export const AUTO_BASELINES = ['blur', 'black'] as const;

/** Named tokens: by index in the answer, or as words of it. */
const Tokens = z.union(
  [z.literal(['visual', 'all']), z.array(z.int().min(0)).min(1), z.array(z.string().min(1)).min(1)],
  'Allowed: "visual", "all", a list of token indexes, or a list of words of the answer',
);

/** Options of every question about an image. */
export const QUESTION_SHAPE = {
  model: ModelParam,
  image: ImageParam,
  question: z.string().refine((question) => question.trim() !== '', 'ask something: the question is empty'),
  /** Scored instead of the model's own answer. */
  answer: z
    .string()
    .refine((answer) => answer.trim() !== '', 'the answer to score is empty')
    .optional(),
  tokens: Tokens.default('visual'),
  threshold: z.union([z.number(), z.literal('auto')], 'It must be a number, or "auto"').default('auto'),
  baseline: z.enum([...BASELINES, 'auto']).default('auto'),
  maxNewTokens: z.int().min(1).max(4096).default(64),
  seed: z.int().min(0).max(0xffffffff).default(0),
} as const;

/** A method by name, or with options of its own; `chosenMethod` checks those against the method. */
const Method = z.union(
  [z.string().transform((name) => ({ name })), z.looseObject({ name: z.string(), preset: z.string().optional() })],
  'It must be the name of a method, or an object with "name", "preset" and options of the method',
);

/** Options of an explanation beside those of the question. */
export const EXPLAIN_SHAPE = {
  method: Method.default(() => ({ name: defaultMethod(DEFAULT_METHOD) })),
  /** A preset of the method, for a method given by its name. */
  preset: z.string().optional(),
  /** Maps of single tokens: all selected, none, or at most so many (those with the highest LLR). */
  perToken: z
    .union([z.boolean(), z.int().min(0).max(256)], 'It must be true, false or the greatest number of token maps')
    .default(true),
  /** Of a model with several encoders, what each contributed: yes, no, or with a map of its own for each. */
  encoders: z.union([z.boolean(), z.literal('maps')], 'It must be true, false or "maps"').default(true),
  /** The baselines with which deletion and insertion are measured: by default the one that was optimised with. */
  metrics: z
    .union([z.array(Baseline), z.literal(false)], `It must be false or a list of: ${BASELINES.join(', ')}`)
    .optional(),
} as const;

export const SelectTokensParams = z.strictObject(QUESTION_SHAPE);
export const ExplainParams = z.strictObject({ ...QUESTION_SHAPE, ...EXPLAIN_SHAPE });

export type SelectTokensParams = z.output<typeof SelectTokensParams>;
export type ExplainParams = z.output<typeof ExplainParams>;
