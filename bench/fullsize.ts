import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from 'simple-statistics';
import { z } from 'zod';
import { ALLOCATION } from '../kernel/engine/allocation.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OURS = fileURLToPath(new URL('fullsize-run.ts', import.meta.url));

/** What must be reached. */
const BARS = { gradientOverForward: 2.3, vsTorch: 1, memoryVsTorch: 1 } as const;

const Ours = z.object({
  loadSeconds: z.number(),
  answerSeconds: z.number(),
  firstForwardSeconds: z.number(),
  firstGradientSeconds: z.number(),
  answerIds: z.array(z.int()),
});
const Torch = z.object({ answerSeconds: z.number(), tokens: z.int(), torch: z.string() });

/** What one run is asked to do; both sides read it. */
export interface FullsizeRequest {
  /** One of `MODELS`. */
  readonly model: string;
  readonly folder: string;
  /** Of the picture, in px. */
  readonly side: number;
  /** Rows and columns of the mask. */
  readonly mask: number;
  readonly threads: number;
  readonly answerTokens: number;
  readonly question: string;
}

/** Architectures that `training.reference.fullsize` makes, what is measured of each, and what it takes. */
const MODELS: Readonly<Record<string, { readonly what: string; readonly side: number; readonly memoryGB: number }>> = {
  'smolvlm-256m': {
    what: 'SmolVLM-256M, random weights, one view of 512×512 px',
    side: 512,
    memoryGB: 4,
  },
  'llava-onevision-0.5b': {
    what: 'LLaVA-OneVision-0.5B, random weights, the whole picture at 384×384 px without tiles',
    side: 384,
    memoryGB: 12,
  },
};

/**
 * What does a model of full size cost? Makes SmolVLM-256M's (or with `--model` LLaVA-OneVision-0.5B's) exact architecture with random
 * weights (Python with torch and transformers), then measures, each in a process of its own: seconds to load, to answer 16 tokens, for
 * a forward scoring and for a gradient with respect to the mask, and peak memory; and the same in PyTorch with the same weights and
 * threads. Both processes stay, and forward and gradient of both take turns, so that none has the quieter machine; medians.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      model: { type: 'string', default: 'smolvlm-256m' },
      threads: { type: 'string', default: String(os.availableParallelism()) },
      runs: { type: 'string', default: '5' },
      folder: { type: 'string' },
      python: { type: 'string', default: process.platform === 'win32' ? 'python' : 'python3' },
    },
  });
  const known = MODELS[values.model];
  if (known === undefined) throw new Error(`there is no model "${values.model}": ${Object.keys(MODELS).join(', ')}`);
  if (os.totalmem() < known.memoryGB * 1e9) throw new Error(`${values.model} takes ${known.memoryGB} GB of memory`);
  const request = {
    model: values.model,
    folder: path.resolve(values.folder ?? path.join(os.tmpdir(), 'lvlm-lens-fullsize', values.model)),
    side: known.side,
    mask: 32,
    threads: Number(values.threads),
    answerTokens: 16,
    question: 'What is in the picture?',
  } satisfies FullsizeRequest;
  const python = ['-m', 'training.reference.fullsize'];
  if (!existsSync(path.join(request.folder, 'onnx', 'vision_encoder.onnx'))) {
    console.error(`making ${request.folder} …`);
    await new Contender(values.python, [...python, 'make', values.model, request.folder]).end();
  }
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-fullsize-'));
  const contenders: Contender[] = [];
  const start = (...of: ConstructorParameters<typeof Contender>) => {
    const contender = new Contender(...of);
    contenders.push(contender);
    return contender;
  };
  try {
    const file = path.join(scratch, 'request.json');
    await writeFile(file, JSON.stringify(request));
    // As an engine is started.
    const env = { ...ALLOCATION, LVLM_LENS_THREADS: String(request.threads) };
    const we = start(process.execPath, ['--import', 'tsx', OURS, file], env);
    const { answerIds, ...ours } = Ours.parse(await we.says());
    await writeFile(file, JSON.stringify({ ...request, answer_ids: answerIds }));
    const peer = start(values.python, [...python, 'time', file]);
    const torch = Torch.parse(await peer.says());
    for (let i = 0; i < Number(values.runs); i++) {
      for (const what of ['forward', 'gradient'] as const) {
        for (const contender of contenders) await contender.does(what);
      }
    }
    for (const contender of contenders) await contender.end();
    const ratio = (a: number, b: number) => Number((a / b).toFixed(3));
    const [mine, theirs] = [we.measured(), peer.measured()];
    const result = {
      model: known.what,
      tokens: torch.tokens,
      threads: request.threads,
      ours: { ...ours, ...mine },
      torch: { ...torch, ...theirs },
      gradientOverForward: ratio(mine.gradientSeconds, mine.forwardSeconds),
      torchGradientOverForward: ratio(theirs.gradientSeconds, theirs.forwardSeconds),
      vsTorch: ratio(mine.gradientSeconds, theirs.gradientSeconds),
      memoryVsTorch: ratio(mine.peakMB, theirs.peakMB),
      bars: BARS,
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      node: process.version,
    };
    console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, undefined, 2));
  } finally {
    for (const contender of contenders) contender.kill();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** How often memory is looked at. */
const SAMPLE_MS = 50;

/** One side: a process that says when it is warm, and then does what it is told. */
class Contender {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #command: string;
  readonly #seconds = { forward: [] as number[], gradient: [] as number[] };
  readonly #sampling: NodeJS.Timeout;
  /** Its exit code, once all that it printed is read. */
  readonly #closed: Promise<number | null>;
  #peakMB = 0;
  #stderr = '';

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#command = `${path.basename(command)} ${args.join(' ')}`;
    this.#child = spawn(command, [...args], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.on('error', (error) => (this.#stderr = error.message));
    // What was to be written to a process that has ended is told by its end.
    this.#child.stdin.on('error', () => undefined);
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#sampling = setInterval(() => {
      this.#peakMB = Math.max(this.#peakMB, residentMB(this.#child.pid));
    }, SAMPLE_MS);
  }

  /** @throws Error with the process's last words where it has ended */
  async says(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done !== true) return JSON.parse(value);
    await this.#closed;
    throw this.#failure();
  }

  async does(what: 'forward' | 'gradient'): Promise<void> {
    this.#child.stdin.write(`${what}\n`);
    this.#seconds[what].push(z.number().parse(await this.says()));
  }

  /** Waits until it has done all. @throws Error where it failed */
  async end(): Promise<void> {
    this.#child.stdin.end();
    const last = await this.#lines.next();
    // Where the system has no proportional sizes, what the process knows itself.
    if (last.done !== true && this.#peakMB === 0) this.#peakMB = Number(last.value);
    const code = await this.#closed;
    clearInterval(this.#sampling);
    if (code !== 0) throw this.#failure();
  }

  #failure(): Error {
    return new Error(`${this.#command} failed: ${this.#stderr.trim().split('\n').at(-1)!}`);
  }

  /** Medians of what it did. */
  measured(): { forwardSeconds: number; gradientSeconds: number; peakMB: number } {
    const { forward, gradient } = this.#seconds;
    return { forwardSeconds: median(forward), gradientSeconds: median(gradient), peakMB: this.#peakMB };
  }

  kill(): void {
    clearInterval(this.#sampling);
    this.#child.kill('SIGKILL');
  }
}

/**
 * What Linux calls the proportional set size: pages that are mapped more than once, as weights in a file are by several sessions, are counted
 * once, as they are in memory once. 0 where the process has ended or the system has no such figure.
 */
function residentMB(pid: number | undefined): number {
  try {
    const kB = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kB ?? 0) / 1024;
  } catch {
    return 0;
  }
}
