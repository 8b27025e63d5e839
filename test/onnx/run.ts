import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { Graph } from '../../kernel/onnx/index.ts';
import { serialise, weightsFolder } from '../../kernel/onnx/index.ts';

/** The embedded model's ONNX files. */
export const POCKET = join(import.meta.dirname, '../../models/pocket/onnx');

/** Runs `work` with a folder that is removed afterwards. */
export async function inFolder(work: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lens-onnx-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes a graph as it is to a file, without references to other files. */
export function writeModel(folder: string, name: string, graph: Graph): string {
  const path = join(folder, name);
  writeFileSync(path, serialise(graph, folder));
  return path;
}

export const float32 = (dims: readonly number[], values: readonly number[]): ort.Tensor =>
  new ort.Tensor('float32', Float32Array.from(values), [...dims]);

/** Numbers that differ from each other and are the same every time. */
export const wave = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(1 + i * 0.7));

/** Runs a model of onnxruntime's (path or bytes) once. */
export async function runModel(
  model: string | Uint8Array,
  feeds: Record<string, ort.Tensor>,
  folder?: string,
): Promise<ort.InferenceSession.OnnxValueMapType> {
  const extra =
    folder === undefined
      ? {}
      : { session: { model_external_initializers_file_folder_path: folder, qdq_matmulnbits_accuracy_level: '1' } };
  const options: ort.InferenceSession.SessionOptions = { logSeverityLevel: 4, intraOpNumThreads: 1, extra };
  const session =
    typeof model === 'string'
      ? await ort.InferenceSession.create(model, options)
      : await ort.InferenceSession.create(model, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Runs a graph of ours once, its weights read where they lie. */
export const runGraph = (graph: Graph, feeds: Record<string, ort.Tensor>) =>
  runModel(serialise(graph), feeds, weightsFolder(graph));

export const numbers = (tensor: ort.OnnxValue | undefined): number[] =>
  Array.from((tensor as ort.Tensor).data as ArrayLike<number | bigint>, Number);

/** Largest absolute difference. */
export const distance = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0) : Infinity;
