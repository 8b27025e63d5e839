import type { Progress } from '../attribution/scorer.ts';
import { AbortError, LensError } from '../errors.ts';

/** What crosses between the engine's client and its process, by structured clone (`serialization: 'advanced'`). */

/** To the engine. `cancel` asks a running request to stop at the next chance. */
export type ToEngine =
  | { readonly kind: 'request'; readonly id: number; readonly task: string; readonly params: unknown }
  | { readonly kind: 'cancel'; readonly id: number };

/** From the engine: any number of `progress`, then one `result` or one `error` for each request. */
export type FromEngine =
  | { readonly kind: 'progress'; readonly id: number; readonly progress: Progress }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: PlainError };

/** An error as plain data. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  /** Only of errors that are not for people. */
  readonly stack?: string | undefined;
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  return name in FOR_PEOPLE ? { name, message } : { name, message, stack };
}

/** The error that `plainError` was given, as far as it can be made again. */
export function errorFrom({ name, message, stack }: PlainError): Error {
  const make = FOR_PEOPLE[name];
  if (make !== undefined) return make(message);
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

const FOR_PEOPLE: Readonly<Record<string, (message: string) => Error>> = {
  LensError: (message) => new LensError(message),
  AbortError: (message) => new AbortError(message),
};
