import type { z } from 'zod';
import type { Progress } from '../attribution/scorer.ts';
import type { ModelCache } from '../model/loaded-model.ts';

/** What a task's handler is given. */
export interface TaskContext<Params> {
  /** As the task's schema parsed them. */
  readonly params: Params;
  /** Aborted when the caller asks to stop: check it between runs and reject with `AbortError`. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly models: ModelCache;
}

/**
 * One kind of request that the engine answers. Parameters and results cross a process border by structured clone: plain data,
 * typed arrays and Maps, no functions and no class instances.
 */
export interface Task<Params, Result> {
  readonly params: z.ZodType<Params>;
  run(context: TaskContext<Params>): Promise<Result>;
}
