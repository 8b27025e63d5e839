import { describeModel, generateAnswer, tokenizeAnswer } from './model-tasks.ts';
import { evaluate } from './tasks/evaluate.ts';
import { explain } from './tasks/explain.ts';
import { selectTokens } from './tasks/select-tokens.ts';
import { shuffledModel } from './tasks/shuffle-weights.ts';

/** Every request that the engine answers, by name. */
export const TASKS = {
  describe: describeModel,
  generate: generateAnswer,
  tokenize: tokenizeAnswer,
  selectTokens,
  explain,
  evaluate,
  shuffledModel,
} as const;

export type TaskName = keyof typeof TASKS;
/** Parameters before defaults are filled in. */
export type TaskParams<Name extends TaskName> = WithDefaults<Parameters<(typeof TASKS)[Name]['run']>[0]['params']>;
export type TaskResult<Name extends TaskName> = Awaited<ReturnType<(typeof TASKS)[Name]['run']>>;

/** `model` may be left out. */
type WithDefaults<Params> = Omit<Params, 'model'> & { readonly model?: string };
