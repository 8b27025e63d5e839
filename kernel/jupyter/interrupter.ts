/**
 * A thread beside the kernel's main thread, which may be stuck in a loop. It reads the interrupts, passes them on, and
 * where the main thread does not answer, ends what it runs through the inspector: that works in a loop after an await too.
 */
import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { INTERRUPT_FD } from './ipc-protocol.ts';

/** Cells of the memory that both threads see. */
export const ANSWERED = 0;
/** Not 0 while the main thread does work that must not be cut off, such as compiling. */
export const BUSY = 1;
export const SHARED_CELLS = 2;

/** How long the main thread has to answer, in ms: a loop that awaits now and then does so at once. */
const PATIENCE = 150;

/** How often to look whether it has, in ms. */
const INTERVAL = 10;

/** After the pipe has closed, how long the process has to end by itself, in ms. */
const GRACE = 2000;

/** Gives up after so many loops that were ended without an answer. */
const ATTEMPTS = 20;

export interface InterruptMessage {
  readonly interrupt: string;
}

if (!isMainThread && parentPort) serve(parentPort, workerData as Int32Array);

function serve(port: NonNullable<typeof parentPort>, shared: Int32Array): void {
  const stop = async (id: string): Promise<void> => {
    const before = Atomics.load(shared, ANSWERED);
    const answered = (): boolean => Atomics.load(shared, ANSWERED) !== before;
    port.postMessage({ interrupt: id } satisfies InterruptMessage);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      for (let waited = 0; waited < PATIENCE || Atomics.load(shared, BUSY) !== 0; waited += INTERVAL) {
        if (answered()) return;
        await sleep(INTERVAL);
      }
      if (answered()) return;
      endExecution();
    }
  };

  const pipe = new Socket({ fd: INTERRUPT_FD, readable: true, writable: false });
  let text = '';
  pipe.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop()!;
    for (const id of lines) void stop(id);
  });
  // Whoever forked the kernel is gone. The main thread notices too, unless it is stuck.
  pipe.on('close', () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), GRACE));
  pipe.on('error', () => undefined);
}

function endExecution(): void {
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.evaluate', { expression: BEFORE_TERMINATION, silent: true });
  session.post('Runtime.terminateExecution', () => {
    session.disconnect();
  });
}

/**
 * Runs in the main thread, in the middle of the loop that is about to be ended. Node keeps a stack of asynchronous contexts
 * and aborts when it finds it unbalanced, which ended code leaves it. After an uncaught exception Node empties it: so it is
 * told of one, and a capture callback keeps it from everybody else.
 */
const BEFORE_TERMINATION = `(() => {
  const captures = process.hasUncaughtExceptionCaptureCallback();
  if (!captures) process.setUncaughtExceptionCaptureCallback(() => undefined);
  process._fatalException(new Error('interrupted'), false);
  if (!captures) process.setUncaughtExceptionCaptureCallback(null);
})()`;
