import assert from 'node:assert/strict';
import * as ort from 'onnxruntime-node';
import { differentiate } from '../../kernel/autodiff/index.ts';
import type { Attributes, DType } from '../../kernel/onnx/index.ts';
import { Builder, Graph, addInput, bind, cloneGraph, prune, serialise, sizeOf } from '../../kernel/onnx/index.ts';

/** An input of the operator under test. */
export interface CaseInput {
  readonly dims: readonly number[];
  /** Values; by default drawn from `range`. */
  readonly values?: readonly number[];
  /** Interval that random values come from, [-1, 1] by default. */
  readonly range?: readonly [low: number, high: number];
  /** Distinct values at least 0.3 apart and none near 0, for operators with kinks; the number shifts the grid. */
  readonly apart?: number;
  /** An input that is not differentiated: a constant of the graph (axes, indices), or one fed at run time. */
  readonly fixed?: 'constant' | 'fed';
  /** The element type; by default the floating type under test. */
  readonly dtype?: DType;
}

/** One application of an operator. `null` stands for an omitted optional input. */
export interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (CaseInput | null)[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
  /** Feeds input 0 a second time as input 1. */
  readonly twice?: boolean;
  readonly seed: number;
  /** For an operator that onnxruntime computes in single precision whatever its type. */
  readonly single?: boolean;
  /** Operator set, 20 by default. */
  readonly opset?: number;
}

/** A small, seeded generator (mulberry32): numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function drawInput(input: CaseInput, next: () => number): number[] {
  const count = sizeOf(input.dims);
  if (input.values !== undefined) return [...input.values];
  if (input.apart !== undefined) {
    const grid = Array.from({ length: count }, (_, i) => (i - Math.floor(count / 2) + 0.5) * 0.3 + input.apart!);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [grid[i], grid[j]] = [grid[j]!, grid[i]!];
    }
    return grid;
  }
  const [low, high] = input.range ?? [-1, 1];
  return Array.from({ length: count }, () => low + next() * (high - low));
}

type Numbers = readonly number[];

const tensor = (dtype: DType, dims: readonly number[], values: Numbers): ort.Tensor => {
  if (dtype === 'int64') return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [...dims]);
  if (dtype === 'int8') return new ort.Tensor('int8', Int8Array.from(values), [...dims]);
  if (dtype === 'bool') return new ort.Tensor('bool', Uint8Array.from(values), [...dims]);
  if (dtype === 'float64') return new ort.Tensor('float64', Float64Array.from(values), [...dims]);
  return new ort.Tensor('float32', Float32Array.from(values), [...dims]);
};

const dot = (a: Numbers, b: Numbers): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

const session = (graph: Graph): Promise<ort.InferenceSession> =>
  ort.InferenceSession.create(serialise(graph), {
    graphOptimizationLevel: 'basic',
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });

/**
 * Checks the rule of one operator: every element of each gradient against central finite differences, and the identity
 * ⟨Ju, v⟩ = ⟨u, Jᵀv⟩ for random u and v. In double precision where onnxruntime has such a kernel, else in single.
 */
export async function checkCase(test: Case): Promise<void> {
  try {
    await checkIn(test.single === true ? 'float32' : 'float64', test);
  } catch (error) {
    if (
      !(error instanceof Error) ||
      !/NOT_IMPLEMENTED|Could not find an implementation|INVALID_GRAPH|Type Error|not implemented/i.test(error.message)
    )
      throw error;
    await checkIn('float32', test);
  }
}

async function checkIn(dtype: DType, test: Case): Promise<void> {
  const next = random(test.seed);
  const graph = new Graph();
  graph.opsets.set('', test.opset ?? 20);
  const b = new Builder(graph);
  const values = new Map<string, number[]>();
  const vary: string[] = [];
  const names = test.inputs.map((input, i) => {
    if (input === null) return '';
    const type = input.dtype ?? dtype;
    const drawn = drawInput(input, next);
    if (input.fixed === 'constant') return b.constant(type, input.dims, drawn);
    const name = addInput(graph, `x${String(i)}`, type, input.dims);
    values.set(name, drawn);
    if (input.fixed === undefined) vary.push(name);
    return name;
  });
  if (test.twice === true) names.push(names[0]!);
  graph.outputs = b
    .multi(test.op, names, test.attributes ?? {}, { domain: test.domain ?? '', outputs: test.outputs ?? 1 })
    .filter((name) => graph.type(name).dtype === dtype);
  await compare(graph, vary, values, next, test.op);
}

/** The same checks for a whole graph, with respect to all its inputs at random values. */
export async function checkGraph(graph: Graph, seed: number): Promise<void> {
  const next = random(seed);
  const names = graph.inputs.map(({ name }) => name);
  const values = new Map(names.map((name) => [name, drawInput({ dims: graph.dims(name) }, next)]));
  await compare(graph, names, values, next, 'graph');
}

/** Compares the gradients of all outputs, weighed at random, with finite differences. */
async function compare(
  graph: Graph,
  vary: readonly string[],
  values: Map<string, number[]>,
  next: () => number,
  label: string,
): Promise<void> {
  const outputs = graph.outputs;
  const { dtype } = graph.type(outputs[0]!);
  const { step, tolerance } = dtype === 'float64' ? { step: 1e-5, tolerance: 1e-6 } : { step: 4e-3, tolerance: 1e-2 };
  const types = new Map(graph.inputs.map((input) => [input.name, input.dtype]));
  const forward = await session(graph);

  const backwardGraph = cloneGraph(graph);
  const weights = outputs.map((output, i) => {
    const name = addInput(backwardGraph, `v${String(i)}`, dtype, graph.dims(output));
    const drawn = drawInput({ dims: graph.dims(output) }, next);
    values.set(name, drawn);
    types.set(name, dtype);
    return { output, name, drawn };
  });
  const gradients = differentiate(backwardGraph, {
    of: weights.map(({ output, name }) => ({ value: output, cotangent: name })),
    wrt: vary,
  });
  backwardGraph.outputs = Object.values(gradients);
  // What the builder inferred while writing must hold, and the written nodes must survive binding.
  bind(backwardGraph, {});
  prune(backwardGraph);
  const backward = await session(backwardGraph);

  const run = async (target: ort.InferenceSession, changed: ReadonlyMap<string, Numbers> = new Map()) => {
    const dims = (name: string) => backwardGraph.dims(name);
    const feeds = Object.fromEntries(
      target.inputNames.map((name) => [
        name,
        tensor(types.get(name)!, dims(name), changed.get(name) ?? values.get(name)!),
      ]),
    );
    const result = await target.run(feeds);
    return Object.fromEntries(
      Object.entries(result).map(([name, value]) => [
        name,
        { dims: value.dims, data: Array.from(value.data as Float32Array) },
      ]),
    );
  };
  const objective = async (changed: ReadonlyMap<string, Numbers>): Promise<number> => {
    const result = await run(forward, changed);
    return weights.reduce((sum, { output, drawn }) => sum + dot(result[output]!.data, drawn), 0);
  };
  const slope = async (name: string, direction: Numbers): Promise<number> => {
    const at = (sign: number) => new Map([[name, values.get(name)!.map((x, i) => x + sign * step * direction[i]!)]]);
    return ((await objective(at(1))) - (await objective(at(-1)))) / (2 * step);
  };
  const close = (actual: number, expected: number, scale: number, what: string) => {
    const error = Math.abs(actual - expected) / Math.max(1, scale);
    assert.ok(error <= tolerance, `${label}, ${what}: ${String(actual)} instead of ${String(expected)} (${dtype})`);
  };
  const result = await run(backward);
  for (const name of vary) {
    const gradient = result[gradients[name]!]!;
    assert.deepEqual(gradient.dims.map(Number), graph.dims(name), `${label}: shape of the gradient of ${name}`);
    const scale = Math.max(...gradient.data.map(Math.abs));
    const count = gradient.data.length;
    // Every element of small inputs, a dozen of larger ones.
    for (let k = 0; k < Math.min(count, 12); k++) {
      const i = count <= 12 ? k : Math.floor(next() * count);
      const unit = gradient.data.map((_, j) => (j === i ? 1 : 0));
      close(gradient.data[i]!, await slope(name, unit), scale, `element ${String(i)} of the gradient of ${name}`);
    }
    const u = drawInput({ dims: graph.dims(name) }, next);
    close(dot(u, gradient.data), await slope(name, u), scale * count ** 0.5, `⟨u, Jᵀv⟩ for ${name}`);
  }
  await forward.release();
  await backward.release();
}
