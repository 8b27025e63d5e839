/** Sends what cells print to their outputs, and leaves alone what anything else prints. */
import { Console } from 'node:console';
import { LensError } from '../errors.ts';
import { currentCell } from './current-cell.ts';

type StreamName = 'stdout' | 'stderr';

type Write = NodeJS.WriteStream['write'];

/**
 * From now on, whatever a cell writes to `process.stdout`, `process.stderr` or the console becomes a stream event of that
 * cell, and a cell that calls `process.exit` fails instead of ending the process.
 * @returns restores everything
 */
export function captureOutput(): () => void {
  const restore = [captureStream('stdout'), captureStream('stderr'), captureConsole(), captureExit()];
  return () => {
    for (const undo of restore.reverse()) undo();
  };
}

function captureStream(name: StreamName): () => void {
  const stream = process[name];
  const original = stream.write.bind(stream) as Write;
  const previous = stream.write;
  stream.write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
    const cell = currentCell();
    if (!cell) return (original as (...args: unknown[]) => boolean)(chunk, encoding, callback);
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    if (text !== '') cell.emit({ type: 'stream', name, text });
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done as () => void);
    return true;
  }) as Write;
  return () => {
    stream.write = previous;
  };
}

/** A console without colours: escape sequences would end up in the notebook whenever a terminal is attached. */
function captureConsole(): () => void {
  const original = globalThis.console;
  // A real stream would buffer, and what it buffers would lose track of the cell that wrote it.
  const into = (name: StreamName): NodeJS.WritableStream =>
    ({ write: (text: string) => process[name].write(text) }) as NodeJS.WritableStream;
  const plain = new Console({ stdout: into('stdout'), stderr: into('stderr'), colorMode: false, ignoreErrors: false });
  globalThis.console = plain;
  return () => {
    if (globalThis.console === plain) globalThis.console = original;
  };
}

function captureExit(): () => void {
  const original = process.exit.bind(process);
  const previous = process.exit;
  process.exit = ((code?: number): never => {
    if (!currentCell()) return original(code);
    throw new LensError(
      `the cell called process.exit(${code ?? ''}), which would end the kernel and lose its variables`,
      'Throw an error to stop a cell.',
    );
  }) as typeof process.exit;
  return () => {
    process.exit = previous;
  };
}
