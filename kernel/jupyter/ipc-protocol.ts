/**
 * What crosses between a kernel process and whoever forked it, as JSON over Node IPC. The Jupyter front and the VS Code
 * extension speak it alike, both through `kernel-process.ts`; only this file and that one need be known to them.
 */
import type { Progress } from '../attribution/scorer.ts';
import type { CellError, CellEvent, MimeBundle } from './events.ts';

/** How a cell is to be executed; the names are Jupyter's. */
export interface ExecuteRequest {
  readonly code: string;
  /** Leaves the execution count alone and shows no result. Default false. */
  readonly silent?: boolean;
  /** Whether it counts; what is silent never does. Default true. */
  readonly storeHistory?: boolean;
  /** Whether `input()` may ask. Default false: it fails with a clear message. */
  readonly allowInput?: boolean;
  /** Expressions to evaluate after the cell, by any name. */
  readonly userExpressions?: Readonly<Record<string, string>>;
}

/** One user expression's value, as Jupyter stores it. */
export type UserExpression =
  | { readonly status: 'ok'; readonly data: MimeBundle; readonly metadata: Readonly<Record<string, unknown>> }
  | ({ readonly status: 'error' } & CellError);

/** How a cell ended. */
export type ExecuteReply =
  | {
      readonly status: 'ok';
      readonly executionCount: number;
      readonly userExpressions: Readonly<Record<string, UserExpression>>;
    }
  | ({
      readonly status: 'error';
      readonly executionCount: number;
      /** The user stopped it. */
      readonly interrupted: boolean;
    } & CellError);

/** What could stand in the span [start, end), UTF-16 code units. */
export interface Completions {
  readonly start: number;
  readonly end: number;
  readonly candidates: readonly Candidate[];
}

export interface Candidate {
  /** Goes into the span as it is. */
  readonly text: string;
  /** TypeScript's word for it: 'property', 'string', 'function', 'method', 'const', 'class', 'keyword'… */
  readonly kind: string;
}

/** A name's type and documentation. */
export interface Inspection {
  readonly signature: string;
  readonly documentation: string;
  /** Of the call whose arguments the caret stands in: index of the parameter. */
  readonly parameter?: number;
}

export interface Completeness {
  readonly status: 'complete' | 'incomplete' | 'invalid';
  /** For the next line where it is incomplete. */
  readonly indent: string;
}

/**
 * The requests and what answers each. Cells are executed one after the other in the order in which they come; the others
 * are answered between cells, and while a cell waits.
 */
export interface Requests {
  execute: { params: ExecuteRequest; result: ExecuteReply };
  complete: { params: { readonly code: string; readonly offset: number }; result: Completions };
  /** `detail` 1 asks for everything that is known. */
  inspect: { params: { readonly code: string; readonly offset: number }; result: Inspection | null };
  isComplete: { params: { readonly code: string }; result: Completeness };
  /** Fetches and loads a model, with 'progress', so that the next question about it is quick. The result is its name. */
  pullModel: { params: { readonly model: string }; result: string };
  models: { params: Readonly<Record<string, never>>; result: ModelList };
}

/** The models on this machine. */
export interface ModelList {
  /** Names of those that come with this package. */
  readonly embedded: readonly string[];
  /** Those downloaded, by their ids on the Hub. */
  readonly cached: readonly {
    readonly id: string;
    /** On disk. */
    readonly bytes: number;
    /** Whether one of its revisions can be loaded as it is. */
    readonly complete: boolean;
  }[];
}

export type RequestName = keyof Requests;

/** To the kernel process. */
export type ToKernel =
  | {
      [Name in RequestName]: { readonly kind: Name; readonly id: string; readonly params: Requests[Name]['params'] };
    }[RequestName]
  /** What the user typed after `input` asked; `value` is absent where they gave up. */
  | { readonly kind: 'input'; readonly id: string; readonly value?: string }
  /** Ends the process in order: engines are stopped, output is flushed. */
  | { readonly kind: 'shutdown' };

/** From the kernel process. */
export type FromKernel =
  /** Once, when cells can be executed; what was sent before is executed then. */
  | { readonly kind: 'ready'; readonly info: KernelInfo }
  /** Instead of 'ready': the session could not be made. The process ends. */
  | { readonly kind: 'failed'; readonly error: CellError }
  /** An output of the cell `id`, also after its reply: a timer that it started, say. */
  | { readonly kind: 'event'; readonly id: string; readonly event: CellEvent }
  /** The cell `id` asks the user; an 'input' of the same id answers. */
  | { readonly kind: 'ask'; readonly id: string; readonly prompt: string; readonly password: boolean }
  | { readonly kind: 'progress'; readonly id: string; readonly progress: Progress }
  | { readonly kind: 'result'; readonly id: string; readonly value: Requests[RequestName]['result'] }
  /** A request that is no cell failed; messages are for people. */
  | { readonly kind: 'error'; readonly id: string; readonly name: string; readonly message: string };

/** What a kernel says of itself. */
export interface KernelInfo {
  /** Of this package. */
  readonly version: string;
  /** Of the language: TypeScript's version. */
  readonly typescript: string;
  readonly node: string;
  readonly pid: number;
}

/**
 * Beside IPC a kernel process has a pipe at this descriptor, which a thread of its own reads: an interrupt must arrive
 * while the main thread is stuck in a loop. Each line is the id of an 'execute' request to stop. When the pipe closes,
 * whoever forked the kernel is gone, and it ends.
 */
export const INTERRUPT_FD = 4;

/**
 * Standard output and error are pipes. What native code and child processes write there is output of the cell that runs;
 * at the end of each cell the kernel writes this marker with the request's id to both, so that nothing is attributed to
 * the next cell: `MARKER + id + MARKER`.
 */
export const MARKER = '\u0000\u0001lvlm-lens\u0001\u0000';
