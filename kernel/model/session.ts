import { realpathSync } from 'node:fs';
import path from 'node:path';
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { LensError } from '../errors.ts';
import { readGraph, serialise, weightsFolder } from '../onnx/index.ts';
import type { Graph } from '../onnx/index.ts';
import { weightBytes } from './weight-bytes.ts';

/** Feeds and results of a run, by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** From this size on, weights are mapped rather than loaded. */
export const LEAN_FROM_BYTES = 128 << 20;

/** Type and shape of a graph's input or output; a string names a dimension that is free. */
export interface ValueInfo {
  readonly type: Tensor.Type;
  readonly shape: readonly (number | string)[];
}

export interface SessionOptions {
  /** How messages call the graph; its path where it has one. */
  readonly label?: string;
  /** For a graph given as bytes: the folder that holds the files which its external data is in. */
  readonly dataFolder?: string;
  /**
   * For large models: weights stay in their files, mapped into memory once for all sessions, instead of being packed anew for each; and what a
   * run needs is given back after it.
   */
  readonly lean?: boolean;
  /** Threads of one operator. Default: LVLM_LENS_THREADS, or ONNX Runtime's choice (one for each core). */
  readonly threads?: number;
}

/** A graph in ONNX Runtime, on the CPU. Its memory is returned by `release`, not by garbage collection. */
export class Session {
  readonly inputs: ReadonlyMap<string, ValueInfo>;
  readonly outputs: ReadonlyMap<string, ValueInfo>;
  readonly #session: InferenceSession;
  readonly #label: string;

  private constructor(session: InferenceSession, label: string) {
    this.#session = session;
    this.#label = label;
    this.inputs = valueInfos(session.inputMetadata);
    this.outputs = valueInfos(session.outputMetadata);
  }

  /**
   * @param model path of an .onnx file, or its bytes
   * @throws LensError where the file is broken or the runtime cannot run it
   */
  static async open(model: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
    const label = options.label ?? (typeof model === 'string' ? model : 'a graph');
    const threads = options.threads ?? (Number(process.env.LVLM_LENS_THREADS) || undefined);
    const { lean = false, dataFolder } = options;
    const entries = {
      // Derived graphs score and have gradients: products with 4-bit weights must not round their activations to 8 bits.
      ...(dataFolder === undefined
        ? {}
        : { model_external_initializers_file_folder_path: dataFolder, qdq_matmulnbits_accuracy_level: '1' }),
      ...(lean ? { disable_prepacking: '1' } : {}),
    };
    const providers = executionProviders();
    const settings: InferenceSession.SessionOptions = {
      executionProviders: providers,
      graphOptimizationLevel: 'all',
      // Errors only: warnings about what the optimiser could not do are nobody's business in a notebook.
      logSeverityLevel: 3,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      ...(lean ? { enableCpuMemArena: false, enableMemPattern: false } : {}),
      extra: { session: entries },
    };
    try {
      const session =
        typeof model === 'string'
          ? await InferenceSession.create(path.resolve(model), settings)
          : await InferenceSession.create(model, settings);
      return new Session(session, label);
    } catch (cause) {
      throw new LensError(
        `ONNX Runtime cannot load ${label}: ${firstLine(cause)}`,
        providers.length > 1
          ? `It was to run on '${providers[0]!}', which needs its own libraries and hardware: unset LVLM_LENS_PROVIDER`
          : 'The file may be damaged or cut off: download it again',
        { cause },
      );
    }
  }

  /**
   * A model's graph as it lies on disk. Of a large one only the structure is read here: its weights are referred to, wherever they lie.
   * @param improve changes the graph of a large one
   * @throws LensError as `open`
   */
  static async openFile(file: string, improve?: (graph: Graph) => unknown): Promise<Session> {
    if (weightBytes(file) < LEAN_FROM_BYTES) return Session.open(file);
    const real = realpathSync(file);
    const graph = readGraph(real);
    improve?.(graph);
    const folder = weightsFolder(graph) ?? path.dirname(real);
    return Session.open(serialise(graph, folder), { label: file, dataFolder: folder, lean: true });
  }

  /** Runs the graph. Feeds that it does not know are an error, unlike in ONNX Runtime. */
  async run(feeds: Tensors, fetches?: readonly string[]): Promise<Tensors> {
    for (const name of Object.keys(feeds)) {
      if (!this.inputs.has(name)) throw new Error(`${this.#label} has no input '${name}'`);
    }
    try {
      return await (fetches === undefined ? this.#session.run(feeds) : this.#session.run(feeds, [...fetches]));
    } catch (cause) {
      throw new LensError(`ONNX Runtime failed in ${this.#label}: ${firstLine(cause)}`, undefined, { cause });
    }
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/**
 * Where graphs run: LVLM_LENS_PROVIDER ('webgpu', 'cuda', 'dml', 'coreml' …), and the CPU for what it cannot compute.
 * @throws LensError where this build of ONNX Runtime does not know it
 */
export function executionProviders(): string[] {
  const wanted = process.env.LVLM_LENS_PROVIDER || 'cpu';
  if (wanted === 'cpu') return ['cpu'];
  const known = listSupportedBackends().map(({ name }) => name);
  if (known.includes(wanted)) return [wanted, 'cpu'];
  throw new LensError(
    `ONNX Runtime has no execution provider "${wanted}" on this machine`,
    `It has: ${known.join(', ')}. Set LVLM_LENS_PROVIDER (in VS Code: lvlmLens.executionProvider) to one of them`,
  );
}

/** A tensor of 64-bit integers. */
export function int64(values: readonly number[], dims: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

export function float32(values: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', values, dims);
}

/** The values of a float32 tensor. */
export function floats(tensors: Tensors, name: string): Float32Array {
  const tensor = tensors[name];
  if (!(tensor?.data instanceof Float32Array))
    throw new Error(`'${name}' is ${tensor?.type ?? 'missing'}, not float32`);
  return tensor.data;
}

function valueInfos(metadata: readonly InferenceSession.ValueMetadata[]): ReadonlyMap<string, ValueInfo> {
  return new Map(metadata.filter((value) => value.isTensor).map(({ name, type, shape }) => [name, { type, shape }]));
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!;
}
