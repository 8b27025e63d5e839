import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Progress } from '../attribution/scorer.ts';
import { AbortError, LensError } from '../errors.ts';
import { ALLOCATION } from './allocation.ts';
import { errorFrom } from './protocol.ts';
import type { FromEngine, ToEngine } from './protocol.ts';
import type { TaskName, TaskParams, TaskResult } from './task-table.ts';

export interface EngineOptions {
  /** How long an asked engine has to stop before it is killed. Default 700 ms. */
  readonly stopMs?: number;
  /** After how long without a call the engine ends and gives its memory back. Default: LVLM_LENS_IDLE_SECONDS, or ten minutes. */
  readonly idleMs?: number;
  /** Added to this process's environment, for instance LVLM_LENS_THREADS. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface CallOptions {
  /** Rejects the call with `AbortError`, at once while it waits and within `stopMs` while it runs. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

interface Call {
  readonly id: number;
  readonly task: string;
  readonly params: unknown;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * The engine as seen from outside: a child process that owns the native runtime. It is started by the first call, and again
 * by the next call after it crashed, was killed or went idle. One call runs at a time; the others wait in order. A process
 * that has nothing else to do may end: only running calls keep it alive.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #queue: Call[] = [];
  #child: ChildProcess | undefined;
  #running: Call | undefined;
  #idle: NodeJS.Timeout | undefined;
  #stopping: NodeJS.Timeout | undefined;
  #lastWords = '';
  #nextId = 1;

  constructor(options: EngineOptions = {}) {
    this.#options = options;
  }

  /** Of the engine process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Has the engine do a task.
   * @throws LensError as the task throws it, or when the engine process ends unexpectedly
   * @throws AbortError once `signal` is aborted
   */
  call<Name extends TaskName>(
    task: Name,
    params: TaskParams<Name>,
    { signal, onProgress }: CallOptions = {},
  ): Promise<TaskResult<Name>> {
    return new Promise<TaskResult<Name>>((resolve, reject) => {
      if (signal?.aborted) {
        reject(new AbortError());
        return;
      }
      const abort = () => this.#abort(call);
      const settle = () => signal?.removeEventListener('abort', abort);
      const call: Call = {
        id: this.#nextId++,
        task,
        params,
        onProgress,
        resolve(value) {
          settle();
          resolve(value as TaskResult<Name>);
        },
        reject(error) {
          settle();
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(call);
      this.#next();
    });
  }

  /** Ends the engine process. Running and waiting calls fail; a later call starts it again. */
  async close(): Promise<void> {
    for (const call of this.#queue.splice(0)) call.reject(new AbortError('the engine was closed'));
    this.#finish()?.reject(new AbortError('the engine was closed'));
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.ref();
    this.#kill();
    await ended;
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const call = this.#queue.shift();
    if (call === undefined) {
      this.#rest();
      return;
    }
    this.#running = call;
    clearTimeout(this.#idle);
    const child = (this.#child ??= this.#start());
    child.ref();
    child.channel?.ref();
    this.#send(child, { kind: 'request', id: call.id, task: call.task, params: call.params });
  }

  #send(child: ChildProcess, message: ToEngine): void {
    try {
      // A failed write is followed by 'exit', which says why.
      child.send(message, () => undefined);
    } catch (error) {
      // Parameters that cannot be cloned, such as functions.
      this.#finish()?.reject(new LensError(`the request cannot be sent to the engine: ${(error as Error).message}`));
      this.#next();
    }
  }

  /** Nothing to do: the child keeps nobody alive, and ends after a while. */
  #rest(): void {
    const child = this.#child;
    if (child === undefined) return;
    child.unref();
    child.channel?.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#kill(), this.#options.idleMs ?? idleMs()).unref();
  }

  #abort(call: Call): void {
    const waiting = this.#queue.indexOf(call);
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1);
      call.reject(new AbortError());
      return;
    }
    if (this.#running !== call || this.#child === undefined) return;
    this.#send(this.#child, { kind: 'cancel', id: call.id });
    clearTimeout(this.#stopping);
    this.#stopping = setTimeout(() => {
      this.#finish()?.reject(new AbortError());
      this.#kill();
      this.#next();
    }, this.#options.stopMs ?? STOP_MS);
  }

  /** Ends the child. SIGKILL is the one way that works in the middle of a native run. */
  #kill(): void {
    const child = this.#child;
    this.#child = undefined;
    clearTimeout(this.#idle);
    child?.kill('SIGKILL');
  }

  /** The running call, which from now on is not running any more. */
  #finish(): Call | undefined {
    const call = this.#running;
    this.#running = undefined;
    clearTimeout(this.#stopping);
    return call;
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(ENTRY), [], {
      serialization: 'advanced',
      execArgv: EXEC_ARGV,
      env: { ...ALLOCATION, ...process.env, ...this.#options.env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const killWithUs = () => child.kill('SIGKILL');
    process.once('exit', killWithUs);
    this.#lastWords = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
    });
    // A pipe of a child is a socket, which would keep this process alive.
    (child.stderr as { unref?: () => void } | null)?.unref?.();
    child.on('message', (message: FromEngine) => this.#receive(child, message));
    child.on('error', (error) => this.#ended(child, `could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      process.removeListener('exit', killWithUs);
      this.#ended(child, signal === null ? `ended with code ${code}` : `was killed (${signal})`);
    });
    return child;
  }

  #receive(child: ChildProcess, message: FromEngine): void {
    const call = this.#running;
    // Words of a child that was killed, or of a call that was given up.
    if (child !== this.#child || call?.id !== message.id) return;
    if (message.kind === 'progress') {
      try {
        call.onProgress?.(message.progress);
      } catch (error) {
        // Who listens no more wants no result either; the call counts as running until the engine has stopped.
        call.reject(error instanceof Error ? error : new Error(String(error)));
        this.#abort(call);
      }
      return;
    }
    this.#finish();
    if (message.kind === 'result') call.resolve(message.value);
    else call.reject(errorFrom(message.error));
    this.#next();
  }

  #ended(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    clearTimeout(this.#idle);
    const words = this.#lastWords.trim().split('\n').slice(-3).join(' | ');
    const memory = /SIGKILL|heap|memory|bad_alloc/i.test(how + words) ? ' It may have run out of memory.' : '';
    this.#finish()?.reject(
      new LensError(
        `the engine process ${how} while it was working${words === '' ? '' : `; its last words: ${words}`}`,
        `The next call starts it again.${memory}`,
      ),
    );
    this.#next();
  }
}

/** How long an asked engine has to stop, in ms. */
const STOP_MS = 700;

/** Read when the engine falls idle, so that a cell may set it. In ms. */
function idleMs(): number {
  return 1000 * Number(process.env.LVLM_LENS_IDLE_SECONDS) || 600_000;
}

/** Characters of the engine's standard error that a crash report may quote. */
const LAST_WORDS = 2000;

/** From source the engine runs by tsx; in dist/ it is a bundle beside this file's. */
const FROM_SOURCE = import.meta.url.endsWith('.ts');
const ENTRY = new URL(FROM_SOURCE ? './server.ts' : './engine.js', import.meta.url);
const EXEC_ARGV = FROM_SOURCE
  ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
  : ['--enable-source-maps'];
