/** A kernel process as whoever forks it sees it: requests with promises, outputs as they come, interrupt, end. */
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Progress } from '../attribution/scorer.ts';
import type { CellEvent } from './events.ts';
import {
  INTERRUPT_FD,
  type ExecuteReply,
  type ExecuteRequest,
  type FromKernel,
  type KernelInfo,
  type RequestName,
  type Requests,
  type ToKernel,
} from './ipc-protocol.ts';
import { MarkedStream } from './marked-stream.ts';

export interface KernelProcessOptions {
  /** The notebook's folder: the process's working directory, and where imports are resolved from. */
  readonly cwd: string;
  /** The kernel's entry file; this package's own unless given. */
  readonly entry?: string;
  /** The Node that runs it; this process's unless given. */
  readonly node?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a cell tells while it runs and, through timers that it started, afterwards. */
export interface CellListener {
  onEvent(event: CellEvent): void;
  /** Answers `input`; where it is missing or rejects, `input` fails in the cell. */
  onAsk?(prompt: string, password: boolean): Promise<string>;
}

/** How the process ended. */
export interface KernelExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was asked to. */
  readonly expected: boolean;
}

/** The kernel process is gone, and with it the cell that ran and all variables. */
export class KernelGone extends Error {
  override readonly name = 'KernelGone';
}

interface Pending {
  readonly name: RequestName;
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How long the end of a cell waits for what native code has written, in ms. It is there already, save in a crash. */
const DRAIN_MS = 500;

/** Characters of its output that the news of a kernel's end quotes. */
const LAST_WORDS = 1000;

/** How long a process that was asked to end has for it, in ms. */
const SHUTDOWN_MS = 2000;

export class KernelProcess {
  /** What it says of itself, once it can execute cells. */
  readonly ready: Promise<KernelInfo>;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<KernelExit>;
  readonly #child: ChildProcess;
  readonly #interrupts: Writable;
  readonly #pending = new Map<string, Pending>();
  /** Every cell that was sent: late outputs come under its id. */
  readonly #listeners = new Map<string, CellListener>();
  /** Cells that have not replied yet, in order: the first one runs. */
  readonly #queue: string[] = [];
  readonly #streams: readonly MarkedStream[];
  #latest: string | undefined;
  /** What was written last, for whoever asks why it ended. */
  #lastWords = '';
  #expected = false;

  constructor({ cwd, entry = fileURLToPath(ENTRY), node = process.execPath, env = {} }: KernelProcessOptions) {
    const child = fork(entry, [], {
      cwd,
      execPath: node,
      execArgv: entry.endsWith('.ts') ? FROM_SOURCE : ['--enable-source-maps'],
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    });
    this.#child = child;
    this.#interrupts = child.stdio[INTERRUPT_FD] as Writable;
    // A process that is gone reads no more; its end is told by 'exit'.
    this.#interrupts.on('error', () => undefined);
    this.#streams = (['stdout', 'stderr'] as const).map(
      (name) => new MarkedStream(child[name]!, (text) => this.#output({ type: 'stream', name, text })),
    );
    let failure: string | undefined;
    let isReady!: (info: KernelInfo) => void;
    let hasFailed!: (error: Error) => void;
    this.ready = new Promise((resolve, reject) => {
      isReady = resolve;
      hasFailed = reject;
    });
    // Who does not ask need not care.
    this.ready.catch(() => undefined);
    child.on('message', (message: FromKernel) => {
      if (message.kind === 'ready') isReady(message.info);
      else if (message.kind === 'failed') failure = message.error.traceback.join('\n');
      else this.#receive(message);
    });
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null, why: string): void => {
        const words = this.#lastWords.trim();
        const last = words === '' || this.#expected ? why : `${why}; it wrote last: ${words}`;
        const gone = new KernelGone(failure === undefined ? last : `the kernel could not start: ${failure}`);
        hasFailed(gone);
        for (const pending of this.#pending.values()) pending.reject(gone);
        this.#pending.clear();
        this.#queue.length = 0;
        resolve({ code, signal, expected: this.#expected });
      };
      child.on('error', (error) => {
        if (child.pid === undefined) end(null, null, `the kernel could not be started: ${error.message}`);
      });
      // Not 'exit': what the process has written last is read by then.
      child.on('close', (code, signal) => {
        end(code, signal, signal === null ? `the kernel ended with code ${code}` : `the kernel was killed (${signal})`);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Runs a cell after all cells given before it. Errors of the cell are its reply.
   * @throws KernelGone when the process ends before the cell does
   */
  async execute(request: ExecuteRequest, listener: CellListener): Promise<ExecuteReply> {
    const id = randomUUID();
    this.#listeners.set(id, listener);
    this.#queue.push(id);
    try {
      const reply = await this.#request('execute', id, request);
      await this.#drained(id);
      return reply;
    } finally {
      this.#latest = id;
      const at = this.#queue.indexOf(id);
      if (at >= 0) this.#queue.splice(at, 1);
    }
  }

  /** Stops the running cell, if one runs; it replies within a second. Cells that wait are not touched. */
  interrupt(): void {
    const [running] = this.#queue;
    if (running !== undefined && this.#interrupts.writable) this.#interrupts.write(`${running}\n`);
  }

  /** Any request but 'execute'. */
  request<Name extends Exclude<RequestName, 'execute'>>(
    name: Name,
    params: Requests[Name]['params'],
    onProgress?: (progress: Progress) => void,
  ): Promise<Requests[Name]['result']> {
    return this.#request(name, randomUUID(), params, onProgress);
  }

  /** Ends the process, in order where it can and by force where it cannot. */
  async shutdown(): Promise<void> {
    this.#expected = true;
    this.#send({ kind: 'shutdown' });
    const force = setTimeout(() => this.#child.kill('SIGKILL'), SHUTDOWN_MS);
    await this.exited;
    clearTimeout(force);
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.#expected = true;
    this.#child.kill('SIGKILL');
  }

  #request<Name extends RequestName>(
    name: Name,
    id: string,
    params: Requests[Name]['params'],
    onProgress?: (progress: Progress) => void,
  ): Promise<Requests[Name]['result']> {
    return new Promise((resolve, reject) => {
      this.#pending.set(id, {
        name,
        resolve: (value) => resolve(value as Requests[Name]['result']),
        reject,
        onProgress,
      });
      if (!this.#child.connected) {
        this.#pending.delete(id);
        reject(new KernelGone('the kernel has ended'));
        return;
      }
      this.#send({ kind: name, id, params } as ToKernel);
    });
  }

  #send(message: ToKernel): void {
    // A failed write is followed by the process's end, which says why.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #receive(message: Exclude<FromKernel, { kind: 'ready' | 'failed' }>): void {
    const { id } = message;
    if (message.kind === 'event') {
      this.#listeners.get(id)?.onEvent(message.event);
      return;
    }
    if (message.kind === 'ask') {
      void this.#ask(id, message.prompt, message.password);
      return;
    }
    const pending = this.#pending.get(id);
    if (!pending) return;
    if (message.kind === 'progress') {
      pending.onProgress?.(message.progress);
      return;
    }
    this.#pending.delete(id);
    if (message.kind === 'result') pending.resolve(message.value);
    else pending.reject(Object.assign(new Error(message.message), { name: message.name }));
  }

  async #ask(id: string, prompt: string, password: boolean): Promise<void> {
    const value = await this.#listeners
      .get(id)
      ?.onAsk?.(prompt, password)
      .catch(() => undefined);
    this.#send({ kind: 'input', id, ...(value !== undefined && { value }) });
  }

  /** Output that no message names a cell for: of the one that runs, else of the one that ran last. */
  #output(event: CellEvent & { type: 'stream' }): void {
    this.#lastWords = (this.#lastWords + event.text).slice(-LAST_WORDS);
    const id = this.#queue[0] ?? this.#latest;
    if (id !== undefined) this.#listeners.get(id)?.onEvent(event);
  }

  /** Waits until all that was written before the end of the cell `id` has been read. */
  async #drained(id: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_MS);
    });
    await Promise.race([Promise.all(this.#streams.map((stream) => stream.reached(id))), tooLong]);
    clearTimeout(timer);
  }
}

/** From source the kernel runs by tsx; in dist/ it is a bundle beside this file's. */
const IS_SOURCE = import.meta.url.endsWith('.ts');
const ENTRY = new URL(IS_SOURCE ? './kernel.ts' : './kernel.js', import.meta.url);
const FROM_SOURCE = IS_SOURCE ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [];
