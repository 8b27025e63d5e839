import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ALLOCATION } from '../kernel/engine/allocation.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OURS = fileURLToPath(new URL('fullsize-run.ts', import.meta.url));

/** What must be reached. */
const BARS = { gradientOverForward: 2.3, vsTorch: 1, memoryVsTorch: 1 } as const;

const times = {
  answerSeconds: z.number(),
  forwardSeconds: z.number(),
  gradientSeconds: z.number(),
  peakMB: z.number(),
};
const Ours = z.object({
  ...times,
  loadSeconds: z.number(),
  firstForwardSeconds: z.number(),
  firstGradientSeconds: z.number(),
  answerIds: z.array(z.int()),
});
const Torch = z.object({ ...times, tokens: z.int(), torch: z.string() });

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
  readonly runs: number;
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
 * threads. Forward and gradient take turns; medians.
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
    runs: Number(values.runs),
    answerTokens: 16,
    question: 'What is in the picture?',
  } satisfies FullsizeRequest;
  const python = (...more: string[]) => execute(values.python, ['-m', 'training.reference.fullsize', ...more]);
  if (!existsSync(path.join(request.folder, 'onnx', 'vision_encoder.onnx'))) {
    console.error(`making ${request.folder} …`);
    await python('make', values.model, request.folder);
  }
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-fullsize-'));
  try {
    const file = path.join(scratch, 'request.json');
    await writeFile(file, JSON.stringify(request));
    const tsx = ['--import', 'tsx', OURS, file];
    const { answerIds, ...ours } = measured(
      Ours,
      // As an engine is started.
      await execute(process.execPath, tsx, { ...ALLOCATION, LVLM_LENS_THREADS: String(request.threads) }),
    );
    await writeFile(file, JSON.stringify({ ...request, answer_ids: answerIds }));
    const torch = measured(Torch, await python('time', file));
    const ratio = (a: number, b: number) => Number((a / b).toFixed(3));
    const result = {
      model: known.what,
      tokens: torch.tokens,
      threads: request.threads,
      ours,
      torch,
      gradientOverForward: ratio(ours.gradientSeconds, ours.forwardSeconds),
      vsTorch: ratio(ours.gradientSeconds, torch.gradientSeconds),
      memoryVsTorch: ratio(ours.peakMB, torch.peakMB),
      bars: BARS,
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      node: process.version,
    };
    console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, undefined, 2));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a process printed, with the memory that it was seen to take. */
function measured<T extends { peakMB: number }>(schema: z.ZodType<T>, { stdout, peakMB }: Ended): T {
  const result = schema.parse(JSON.parse(lastLine(stdout)));
  return { ...result, peakMB: peakMB ?? result.peakMB };
}

interface Ended {
  readonly stdout: string;
  /** The most memory at any time, in MB: the process's proportional share of what is resident; undefined where that cannot be seen. */
  readonly peakMB: number | undefined;
}

/** How often memory is looked at. */
const SAMPLE_MS = 50;

/** Runs a command to its end. */
async function execute(command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(command, [...args], {
    cwd: ROOT,
    env: { ...process.env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr, peak] = ['', '', 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const sampling = setInterval(() => (peak = Math.max(peak, residentMB(child.pid!))), SAMPLE_MS);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(stderr.trim().split('\n').at(-1) ?? `it ended with ${code}`);
    return { stdout, peakMB: peak || undefined };
  } catch (cause) {
    throw new Error(`${path.basename(command)} ${args.join(' ')} failed: ${(cause as Error).message}`, { cause });
  } finally {
    clearInterval(sampling);
  }
}

/**
 * What Linux calls the proportional set size: pages that are mapped more than once, as weights in a file are by several sessions, are counted
 * once, as they are in memory once. 0 where the process has ended or the system has no such figure.
 */
function residentMB(pid: number): number {
  try {
    const kB = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kB ?? 0) / 1024;
  } catch {
    return 0;
  }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
