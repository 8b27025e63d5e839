/** What a terminal shows: text without control sequences, and one line of progress that is written over. */
import { stripVTControlCharacters } from 'node:util';
import { progressLine, type ProgressLine } from '../jupyter/progress.ts';

/** Control characters except tab and newline. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text of a model or a notebook without what would steer the terminal. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, '\ufffd');
}

/**
 * A progress line on standard error: written over in a terminal; in a file or a pipe, where that cannot be, each stage is
 * named once.
 * @param prefix stands before it, for instance which cell runs
 */
export function terminalProgress(prefix = ''): ProgressLine {
  const { stderr } = process;
  if (stderr.isTTY) {
    return progressLine((text) => {
      const line = text === undefined ? '' : printable(prefix + text).slice(0, stderr.columns - 1);
      stderr.write(`\r${line}\u001b[K`);
    });
  }
  let stage: string | undefined;
  return {
    onProgress(progress) {
      if (progress.stage === stage) return;
      stage = progress.stage;
      stderr.write(`${printable(prefix + stage)}\n`);
    },
    done() {
      // What is written stays.
    },
  };
}

/** One line on standard error. */
export function note(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** Text on standard output: the command's result. */
export function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}
