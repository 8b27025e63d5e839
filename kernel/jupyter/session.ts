/**
 * A kernel session: cells go in, events come out. It knows no transport; the headless runner, Jupyter and VS Code each
 * carry its events in their own way.
 */
import { randomUUID } from 'node:crypto';
import { currentCell, runAsCell, runOutsideCell, type CurrentCell } from './current-cell.ts';
import type { CellError, CellEvent } from './events.ts';
import { createExecutor, Interruption, requireSuitableNode } from './executor.ts';
import { importCell, lensLibrary } from './globals.ts';
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
}

/** How a cell ended. */
export type CellReply =
  | { readonly status: 'ok'; readonly executionCount: number }
  | ({
      readonly status: 'error';
      readonly executionCount: number;
      /** The user stopped it. */
      readonly interrupted: boolean;
    } & CellError);

export interface ExecuteOptions {
  /** Leaves the execution count alone and shows no result, as front ends ask for their own needs. */
  readonly silent?: boolean;
}

export interface Session {
  /**
   * Runs a cell after all cells given before it. It never rejects: errors of the cell are an 'error' event and the reply.
   * `onEvent` may be called after the reply, for instance by a timer that the cell started.
   */
  execute(code: string, onEvent: (event: CellEvent) => void, options?: ExecuteOptions): Promise<CellReply>;
  /** Stops the running cell, if one runs. */
  interrupt(): void;
  /** Names that could stand at `offset`, and the span [start, end) that they would replace. */
  complete(code: string, offset: number): { start: number; end: number; candidates: string[] };
  inspect(code: string, offset: number): { signature: string; documentation: string } | undefined;
  isComplete(code: string): { complete: boolean; indent: string };
  /** Of the last cell that ran. */
  readonly executionCount: number;
  close(): void;
}

export async function createSession(options: SessionOptions): Promise<Session> {
  requireSuitableNode();
  const library = options.library ?? lensLibrary();
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
    { silent = false }: ExecuteOptions,
  ): Promise<CellReply> => {
    if (!silent) executionCount++;
    const count = executionCount;
    const controller = new AbortController();
    const name = silent ? `silent ${randomUUID()}` : `cell ${count}`;
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
    };
    running = controller;
    latest = cell;
    return await runAsCell(cell, async (): Promise<CellReply> => {
      try {
        const value = await executor.run(code, name, controller.signal);
        if (value !== undefined && !silent) {
          cell.emit({ type: 'execute_result', executionCount: count, ...(await toDisplayData(value)) });
        }
        return { status: 'ok', executionCount: count };
      } catch (error) {
        const interrupted = controller.signal.aborted || error instanceof Interruption;
        const described = describeError(interrupted ? new Interruption() : error, name, sources);
        cell.emit({ type: 'error', ...described });
        return { status: 'error', executionCount: count, interrupted, ...described };
      } finally {
        running = undefined;
      }
    });
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
    complete: (code, offset) => executor.converter.complete(executor.declarations, code, offset),
    inspect: (code, offset) => executor.converter.inspect(executor.declarations, code, offset),
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
