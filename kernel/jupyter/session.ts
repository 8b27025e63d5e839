/**
 * A kernel session: cells go in, events come out. It knows no transport; the headless runner, Jupyter and VS Code each
 * carry its events in their own way.
 */
import { randomUUID } from 'node:crypto';
import { currentCell, runAsCell, runOutsideCell, type CurrentCell } from './current-cell.ts';
import type { CellEvent, DisplayData } from './events.ts';
import { createExecutor, Interruption, requireSuitableNode } from './executor.ts';
import { importCell, lensLibrary } from './globals.ts';
import { withRuntimeNames } from './runtime-names.ts';
import type { Completeness, Completions, ExecuteReply, Inspection, UserExpression } from './ipc-protocol.ts';
import type { CellLibrary } from './library.ts';
import { toDisplayData } from './mime.ts';
import { captureOutput } from './output-capture.ts';
import { CellSources, describeError } from './traceback.ts';

export interface SessionOptions {
  /** The notebook's folder: imports are resolved from there. It does not change the process's working directory. */
  readonly cwd: string;
  /** Offered to cells without import; this package itself unless given. */
  readonly library?: CellLibrary;
  /** Notice changes to imported TypeScript files while the session lives. */
  readonly watch?: boolean;
  /** Calls `work`, which whoever ends loops from outside must not cut off: the compiler would be left in pieces. */
  readonly undisturbed?: <T>(work: () => T) => T;
}

/** How a cell ended. */
export type CellReply = ExecuteReply;

export interface ExecuteOptions {
  /** Leaves the execution count alone and shows no result, as front ends ask for their own needs. */
  readonly silent?: boolean;
  /** Whether it counts, unless it is silent. Default true. */
  readonly storeHistory?: boolean;
  /** Stops this cell; before its turn has come it does not run at all. */
  readonly signal?: AbortSignal;
  /** To be evaluated after the cell, by any name. */
  readonly userExpressions?: Readonly<Record<string, string>>;
  /** Answers `input`, which fails without. */
  readonly ask?: (prompt: string, password: boolean) => Promise<string>;
}

export interface Session {
  /**
   * Runs a cell after all cells given before it. It never rejects: errors of the cell are an 'error' event and the reply.
   * `onEvent` may be called after the reply, for instance by a timer that the cell started.
   */
  execute(code: string, onEvent: (event: CellEvent) => void, options?: ExecuteOptions): Promise<CellReply>;
  /** Stops the running cell, if one runs. */
  interrupt(): void;
  /** What could stand at `offset`, and the span that it would replace. */
  complete(code: string, offset: number): Promise<Completions>;
  inspect(code: string, offset: number): Inspection | undefined;
  isComplete(code: string): Completeness;
  /** Of the last cell that ran. */
  readonly executionCount: number;
  close(): void;
}

export async function createSession(options: SessionOptions): Promise<Session> {
  requireSuitableNode();
  const library = options.library ?? lensLibrary();
  const undisturbed = options.undisturbed ?? ((work) => work());
  const sources = new CellSources();
  const executor = await createExecutor({ ...options, library }, sources);
  const shown = new Set<string>();
  let executionCount = 0;
  let running: AbortController | undefined;
  let latest: CurrentCell | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  const runCell = async (
    code: string,
    onEvent: (event: CellEvent) => void,
    { silent = false, storeHistory = true, signal, userExpressions = {}, ask }: ExecuteOptions,
  ): Promise<CellReply> => {
    const counts = storeHistory && !silent;
    if (counts) executionCount++;
    const count = executionCount;
    const controller = new AbortController();
    const abort = (): void => {
      controller.abort();
    };
    const name = counts ? `cell ${count}` : `cell ${randomUUID()}`;
    const cell: CurrentCell = {
      signal: controller.signal,
      emit(event) {
        if (event.type === 'display_data' && event.displayId !== undefined) shown.add(event.displayId);
        runOutsideCell(() => {
          onEvent(event);
        });
      },
      newDisplayId: randomUUID,
      isShown: (displayId) => shown.has(displayId),
      ...(ask && { ask }),
    };
    const run = async (): Promise<DisplayData | undefined> => {
      const value = await executor.run(code, name, controller.signal);
      return value === undefined || silent ? undefined : await toDisplayData(value);
    };
    running = controller;
    latest = cell;
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      const shownValue = await onOwnTurn(() => runAsCell(cell, run), controller.signal);
      if (shownValue) cell.emit({ type: 'execute_result', executionCount: count, ...shownValue });
      return { status: 'ok', executionCount: count, userExpressions: await evaluateAll(userExpressions, cell) };
    } catch (error) {
      const interrupted = controller.signal.aborted || error instanceof Interruption;
      const described = describeError(interrupted ? new Interruption() : error, name, sources);
      cell.emit({ type: 'error', ...described });
      return { status: 'error', executionCount: count, interrupted, ...described };
    } finally {
      running = undefined;
      signal?.removeEventListener('abort', abort);
    }
  };

  const evaluateAll = async (
    expressions: Readonly<Record<string, string>>,
    cell: CurrentCell,
  ): Promise<Record<string, UserExpression>> => {
    const values: Record<string, UserExpression> = {};
    for (const [key, expression] of Object.entries(expressions)) {
      const name = `expression ${randomUUID()}`;
      const evaluate = async (): Promise<DisplayData> =>
        await toDisplayData(await executor.run(`(${expression})`, name, cell.signal));
      values[key] = await onOwnTurn(() => runAsCell(cell, evaluate), cell.signal).then(
        (data) => ({ status: 'ok', ...data }),
        (error: unknown) => ({ status: 'error', ...describeError(error, name, sources) }),
      );
    }
    return values;
  };

  /** Errors that no cell awaits: a forgotten promise, a timer. They must not end the kernel. */
  const reportStray = (error: unknown): void => {
    const { traceback } = describeError(error, '', sources);
    (currentCell() ?? latest)?.emit({ type: 'stream', name: 'stderr', text: `${traceback.join('\n')}\n` });
  };

  const restoreOutput = captureOutput();
  process.on('unhandledRejection', reportStray);
  process.on('uncaughtException', reportStray);
  const session: Session = {
    execute(code, onEvent, executeOptions = {}) {
      const reply = queue.then(() => runCell(code, onEvent, executeOptions));
      queue = reply;
      return reply;
    },
    interrupt() {
      running?.abort();
    },
    async complete(code, offset) {
      const found = undisturbed(() => executor.converter.complete(executor.declarations, code, offset));
      return await withRuntimeNames(found, library, code.slice(found.start, offset));
    },
    inspect: (code, offset) => undisturbed(() => executor.converter.inspect(executor.declarations, code, offset)),
    isComplete: (code) => executor.converter.isComplete(code),
    get executionCount() {
      return executionCount;
    },
    close() {
      running?.abort();
      process.off('unhandledRejection', reportStray);
      process.off('uncaughtException', reportStray);
      restoreOutput();
      executor.close();
    },
  };
  const failed = await executor
    .run(importCell(library), 'preload', new AbortController().signal)
    .then(() => undefined)
    .catch((error: unknown) => error);
  if (failed !== undefined) {
    session.close();
    throw failed instanceof Error ? failed : new Error(String(failed));
  }
  return session;
}

/**
 * Runs `work` on a turn of the event loop of its own, or throws an Interruption as soon as `signal` aborts. Execution that
 * is ended from outside takes with it all that is on the stack and leaves its promises unsettled: here that is the cell's
 * code alone.
 */
function onOwnTurn<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      reject(new Interruption());
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    setImmediate(() => {
      work()
        .then(resolve, reject)
        .finally(() => {
          signal.removeEventListener('abort', abort);
        });
    });
  });
}
