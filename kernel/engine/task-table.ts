import { describeModel, generateAnswer, tokenizeAnswer } from './model-tasks.ts';
import type { Task } from './task.ts';

/** Every request that the engine answers, by name. */
export const TASKS = {
  describe: describeModel,
  generate: generateAnswer,
  tokenize: tokenizeAnswer,
} as const;

export type TaskName = keyof typeof TASKS;
/** Parameters before defaults are filled in. */
export type TaskParams<Name extends TaskName> =
  (typeof TASKS)[Name] extends Task<infer Params, unknown> ? WithDefaults<Params> : never;
export type TaskResult<Name extends TaskName> = (typeof TASKS)[Name] extends Task<never, infer Result> ? Result : never;

/** `model` may be left out. */
type WithDefaults<Params> = Omit<Params, 'model'> & { readonly model?: string };
