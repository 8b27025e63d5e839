/** `lvlm-lens run NOTEBOOK` */
import path from 'node:path';
import { AbortError, LensError } from '../errors.ts';
import { readNotebook, writeNotebook } from '../jupyter/notebook.ts';
import { runNotebook, type RunResult } from '../jupyter/run-notebook.ts';
import { note, printable } from './terminal.ts';

/** Executes the notebook in its own folder and writes it; what was done before an error or Ctrl+C is written as well. */
export async function runCommand(
  notebook: string,
  { output = notebook, allowErrors = false }: { output?: string; allowErrors?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { failed, interrupted } = await runFile(notebook, output, allowErrors, signal);
  if (interrupted) throw new AbortError();
  if (failed && !allowErrors) {
    throw new LensError(`cell ${failed.cell} failed\n\n${failed.traceback.join('\n')}\n`);
  }
}

/** Executes a notebook file, tells on standard error how it goes, and writes it to `output`. */
export async function runFile(
  notebook: string,
  output: string,
  allowErrors: boolean,
  signal: AbortSignal,
): Promise<RunResult> {
  const { notebook: content, style } = await readNotebook(notebook);
  const target = path.resolve(output);
  const status = statusLine();
  let cell = '';
  const result = await runNotebook(content, {
    folder: path.dirname(path.resolve(notebook)),
    allowErrors,
    signal,
    onCell(number, cells) {
      cell = `cell ${number} of ${cells}`;
      status.show(cell);
    },
    onEvent(event) {
      if (event.type === 'progress') status.show(event.text === undefined ? cell : `${cell}: ${event.text}`, true);
    },
  });
  status.clear();
  await writeNotebook(target, { notebook: result.notebook, style });
  note(`wrote ${target}`);
  return result;
}

/** One line on standard error: written over in a terminal, elsewhere only what does not pass at once. */
function statusLine(): { show: (text: string, passing?: boolean) => void; clear: () => void } {
  const { stderr } = process;
  // Cells run in this process: their output is captured, ours must not be.
  const write = stderr.write.bind(stderr);
  if (!stderr.isTTY) {
    return {
      show(text, passing = false) {
        if (!passing) write(`${printable(text)}\n`);
      },
      clear() {
        // What is written stays.
      },
    };
  }
  return {
    show: (text) => write(`\r${printable(text).slice(0, stderr.columns - 1)}\u001b[K`),
    clear: () => write('\r\u001b[K'),
  };
}
