import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { median } from 'simple-statistics';
import { z } from 'zod';
import { decodeImage } from '../kernel/image/decode.ts';
import { familyOf } from '../kernel/model/families.ts';
import { modelFolder, readModelFiles } from '../kernel/model/files.ts';
import { buildScoreGraph } from '../kernel/model/score-graph.ts';
import type { ScoreShape } from '../kernel/model/score-graph.ts';
import { counted } from '../kernel/model/sequence.ts';
import { float32, floats, int64, Session } from '../kernel/model/session.ts';
import type { Tensors } from '../kernel/model/session.ts';
import { pixelDims } from '../kernel/model/vision-graph.ts';
import type { ViewStack } from '../kernel/model/vision-plan.ts';
import { serialise } from '../kernel/onnx/index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What must be reached. */
const BARS = { gradientOverForward: 2.5, vsTorch: 1 } as const;

/** A question, its answer and its picture, as token ids: one of PyTorch's reference cases. */
const Reference = z.object({
  cases: z.array(z.object({ file: z.string(), prompt_ids: z.array(z.int()), answer_ids: z.array(z.int()) })).nonempty(),
});

const TorchTimes = z.object({ torchForwardMs: z.number(), torchGradientMs: z.number(), torch: z.string() });

/**
 * What does a gradient cost? Times the forward pass (pixels to log p of each answer token) and the gradient of Σ log p with
 * respect to the pixels (log p included) on the embedded model, one image at a time; and where PyTorch is installed the same
 * in PyTorch: same weights, same inputs, same threads, in turns with ours so that neither has the quieter machine.
 * Medians, in milliseconds.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      threads: { type: 'string', default: '1' },
      runs: { type: 'string', default: '60' },
      rounds: { type: 'string', default: '3' },
      python: { type: 'string', default: process.platform === 'win32' ? 'python' : 'python3' },
    },
  });
  const [threads, runs, rounds] = [values.threads, values.runs, values.rounds].map(Number) as [number, number, number];
  const { forward, gradient, feeds, ids, answerStart, pixels, nodes } = await prepare(threads);

  const times: Record<'forward' | 'gradient' | 'torchForward' | 'torchGradient', number[]> = {
    forward: [],
    gradient: [],
    torchForward: [],
    torchGradient: [],
  };
  let torch: string | undefined;
  for (let round = 0; round < rounds; round++) {
    times.forward.push(await timed(() => forward.run(feeds.forward), runs));
    times.gradient.push(await timed(() => gradient.run(feeds.gradient), runs));
    const theirs = await torchTimes(values.python, { pixels, ids, answerStart, threads, runs });
    if (typeof theirs === 'string') {
      if (round === 0) console.error(`PyTorch is not measured: ${theirs}`);
      continue;
    }
    torch = theirs.torch;
    times.torchForward.push(theirs.torchForwardMs);
    times.torchGradient.push(theirs.torchGradientMs);
  }
  await Promise.all([forward.release(), gradient.release()]);

  const forwardMs = median(times.forward);
  const gradientMs = median(times.gradient);
  const result = {
    model: 'pocket',
    tokens: ids.length,
    answerTokens: ids.length - answerStart,
    threads,
    runs: runs * rounds,
    ...nodes,
    forwardMs: rounded(forwardMs),
    gradientMs: rounded(gradientMs),
    gradientOverForward: rounded(gradientMs / forwardMs),
    gradientsPerSecond: rounded(1000 / gradientMs),
    ...(torch === undefined
      ? {}
      : {
          torch,
          torchForwardMs: rounded(median(times.torchForward)),
          torchGradientMs: rounded(median(times.torchGradient)),
          vsTorch: rounded(gradientMs / median(times.torchGradient)),
        }),
    bars: BARS,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    onnxruntime: onnxruntimeVersion(JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))),
    node: process.version,
  };
  console.log(values.json ? JSON.stringify(result) : Object.entries(result).map(line).join('\n'));
}

/** Opens the forward and the gradient graph of one reference case, with their feeds. */
async function prepare(threads: number) {
  const reference = Reference.parse(JSON.parse(await readFile(path.join(ROOT, 'test/reference/pocket.json'), 'utf8')));
  const scene = reference.cases[0]!;
  const files = await readModelFiles(modelFolder('pocket'));
  const family = familyOf(files.config);
  const picture = await decodeImage(path.join(ROOT, 'test/evidence', scene.file));
  const image = family.imageToken(files.config)!;
  const tokenOf = () => undefined;
  const plan = family.vision({
    files,
    imageToken: '<image>',
    tokenOf,
    inputs: () => new Map(),
    constant: () => undefined,
  })(picture);
  const [view] = plan.stacks as [ViewStack];
  const pixels = view.render(picture);
  const [start, end] = [scene.prompt_ids.indexOf(image), scene.prompt_ids.lastIndexOf(image) + 1];
  const embed = await Session.open(files.graphs.embed_tokens);
  const embeddings = async (ids: readonly number[]) =>
    floats(await embed.run({ input_ids: int64(ids, [1, ids.length]) }), 'inputs_embeds');
  const beforeIds = scene.prompt_ids.slice(0, start);
  const afterIds = [...scene.prompt_ids.slice(end), ...scene.answer_ids.slice(0, -1)];
  const [before, after] = [await embeddings(beforeIds), await embeddings(afterIds)];
  await embed.release();

  const width = before.length / beforeIds.length;
  const answer = scene.answer_ids.length;
  const shape: ScoreShape = {
    from: 'pixels',
    gradient: true,
    batch: 1,
    maskRows: 0,
    maskCols: 0,
    plan,
    runs: [
      { kind: 'text', length: beforeIds.length },
      { kind: 'image', length: end - start },
      { kind: 'text', length: afterIds.length },
    ],
    width,
    answer,
    positions: counted(scene.prompt_ids.length + answer - 1).axes,
    tokenInputs: {},
  };
  const sources = files.graphs;
  const folder = path.dirname(sources.decoder_model_merged);
  const open = async (gradient: boolean) => {
    const graph = buildScoreGraph(sources, { ...shape, gradient });
    return {
      nodes: graph.nodes.length,
      session: await Session.open(serialise(graph, folder), { dataFolder: folder, threads }),
    };
  };
  const [forward, gradient] = [await open(false), await open(true)];
  const first = scene.prompt_ids.length - 1;
  const shared: Tensors = {
    [`pixels/${view.name}`]: float32(pixels, pixelDims(view, 1)),
    'text/0': float32(before, [1, beforeIds.length, width]),
    'text/1': float32(after, [1, afterIds.length, width]),
    positions: int64(
      scene.answer_ids.map((_, t) => first + t),
      [answer],
    ),
    ids: int64(scene.answer_ids, [answer]),
  };
  return {
    forward: forward.session,
    gradient: gradient.session,
    nodes: { forwardNodes: forward.nodes, gradientNodes: gradient.nodes },
    feeds: {
      forward: shared,
      gradient: {
        ...shared,
        weights: float32(new Float32Array(answer).fill(1), [1, answer]),
        odds: float32(new Float32Array(1), [1, 1]),
      },
    },
    ids: [...scene.prompt_ids, ...scene.answer_ids],
    answerStart: scene.prompt_ids.length,
    pixels,
  };
}

/** Median time of a run in milliseconds, after a warm-up. */
async function timed(work: () => Promise<unknown>, runs: number): Promise<number> {
  for (let i = 0; i < 5; i++) await work();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return median(times);
}

interface TorchInput {
  readonly pixels: Float32Array;
  readonly ids: readonly number[];
  readonly answerStart: number;
  readonly threads: number;
  readonly runs: number;
}

/** PyTorch's times, or why there are none. */
async function torchTimes(python: string, input: TorchInput): Promise<z.infer<typeof TorchTimes> | string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-bench-'));
  try {
    await writeFile(path.join(folder, 'pixels.bin'), new Uint8Array(input.pixels.buffer.slice(0)));
    const file = path.join(folder, 'input.json');
    const description = { pixel_values: 'pixels.bin', input_ids: input.ids, answer_start: input.answerStart };
    await writeFile(file, JSON.stringify(description));
    const { stdout } = await promisify(execFile)(
      python,
      [
        '-m',
        'training.bench_gradient',
        modelFolder('pocket'),
        file,
        '--threads',
        `${input.threads}`,
        '--runs',
        `${input.runs}`,
      ],
      { cwd: ROOT },
    );
    return TorchTimes.parse(JSON.parse(stdout));
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1)!;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const onnxruntimeVersion = (manifest: unknown): string =>
  z.object({ dependencies: z.object({ 'onnxruntime-node': z.string() }) }).parse(manifest).dependencies[
    'onnxruntime-node'
  ];

const rounded = (value: number): number => Number(value.toPrecision(4));

const line = ([name, value]: [string, unknown]): string =>
  `${name.padEnd(20)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
