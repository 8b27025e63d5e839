/** Runs a notebook without a front end, as `jupyter nbconvert --execute` would. */
import path from 'node:path';
import type { CellEvent } from './events.ts';
import { DISPLAY_NAME, KERNEL_NAME, LANGUAGE_INFO } from './language-info.ts';
import type { CellLibrary } from './library.ts';
import { joinLines, type CodeCell, type Notebook, type NotebookCell } from './notebook.ts';
import { OutputCollector } from './outputs.ts';
import { createSession } from './session.ts';

export interface RunOptions {
  /** The folder that the cells run in: the notebook's. */
  readonly folder: string;
  /** Go on after a cell that failed. */
  readonly allowErrors?: boolean;
  /** Stops the running cell and runs no further one. */
  readonly signal?: AbortSignal;
  /** Told before each code cell, counting from 1. */
  readonly onCell?: (cell: number, cells: number) => void;
  /** Every event, as it happens. */
  readonly onEvent?: (event: CellEvent) => void;
  readonly library?: CellLibrary;
}

/** The first cell that failed. */
export interface FailedCell {
  /** Among the code cells, from 1. */
  readonly cell: number;
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

export interface RunResult {
  /** The notebook with the outputs of all cells that ran; cells that did not run have none. */
  readonly notebook: Notebook;
  readonly failed?: FailedCell;
  /** The user stopped the run. */
  readonly interrupted: boolean;
}

/** Executes all code cells in order; the process's working directory is `folder` meanwhile. */
export async function runNotebook(notebook: Notebook, options: RunOptions): Promise<RunResult> {
  const folder = path.resolve(options.folder);
  const before = process.cwd();
  const session = await createSession({ cwd: folder, ...(options.library && { library: options.library }) });
  const interrupt = (): void => {
    session.interrupt();
  };
  options.signal?.addEventListener('abort', interrupt);
  process.chdir(folder);
  try {
    return await runCells(notebook, options, session);
  } finally {
    process.chdir(before);
    options.signal?.removeEventListener('abort', interrupt);
    session.close();
  }
}

async function runCells(
  notebook: Notebook,
  { allowErrors = false, signal, onCell, onEvent }: RunOptions,
  session: Awaited<ReturnType<typeof createSession>>,
): Promise<RunResult> {
  const collector = new OutputCollector();
  const cells = notebook.cells.map((cell): NotebookCell =>
    cell.cell_type === 'code' ? { ...cell, execution_count: null, outputs: [] } : cell,
  );
  const codeCells = cells.filter((cell): cell is CodeCell => cell.cell_type === 'code');
  let failed: FailedCell | undefined;
  let interrupted = false;
  for (const [index, cell] of codeCells.entries()) {
    if (interrupted || (failed && !allowErrors)) break;
    if (signal?.aborted) {
      interrupted = true;
      break;
    }
    const source = joinLines(cell.source);
    if (source.trim() === '') continue;
    onCell?.(index + 1, codeCells.length);
    const reply = await session.execute(source, (event) => {
      collector.add(cell.outputs, event);
      onEvent?.(event);
    });
    cell.execution_count = reply.executionCount;
    if (reply.status === 'error') {
      interrupted ||= reply.interrupted;
      const { ename, evalue, traceback } = reply;
      failed ??= { cell: index + 1, ename, evalue, traceback };
    }
  }
  const result = { ...notebook, metadata: withLanguage(notebook.metadata), cells };
  return { notebook: result, interrupted, ...(failed && { failed }) };
}

/** Front ends choose the kernel and the colouring of cells by this; what the notebook says already stays. */
function withLanguage(metadata: Notebook['metadata']): Notebook['metadata'] {
  return {
    ...metadata,
    kernelspec: metadata.kernelspec ?? { display_name: DISPLAY_NAME, language: LANGUAGE_INFO.name, name: KERNEL_NAME },
    language_info: metadata.language_info ?? LANGUAGE_INFO,
  };
}
