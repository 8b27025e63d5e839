/** From arguments to an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
import { CommanderError } from 'commander';
import { AbortError, LensError } from '../errors.ts';
import { shutdown } from '../index.ts';
import { createProgram } from './program.ts';
import { printable } from './terminal.ts';

/** 128 + SIGINT, as shells report it. */
const INTERRUPTED = 130;

/** Runs the command. @param args without node and the script's name */
export async function main(args: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => {
    // The first Ctrl+C stops the work in order; the second one does not wait for it.
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  try {
    await createProgram(controller.signal).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof AbortError || controller.signal.aborted) {
      process.stderr.write('interrupted\n');
      return INTERRUPTED;
    }
    process.stderr.write(`${printable(report(error))}\n`);
    return 1;
  } finally {
    process.off('SIGINT', interrupt);
    await shutdown();
  }
}

/** A LensError is written for people; anything else is a fault of ours, whose stack helps to mend it. */
function report(error: unknown): string {
  if (error instanceof LensError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
