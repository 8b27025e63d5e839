import assert from 'node:assert/strict';
import * as ort from 'onnxruntime-node';
import type { Attributes, Constant, DType } from '../../../kernel/onnx/index.ts';
import {
  Builder,
  Graph,
  addInput,
  cloneGraph,
  constantOf,
  lower,
  serialise,
  sizeOf,
} from '../../../kernel/onnx/index.ts';
import { checkGraph, drawInput, random } from '../../autodiff/check.ts';
import type { CaseInput } from '../../autodiff/check.ts';
import { numbers } from '../run.ts';

/** One application of a fused operator. Floating inputs without `fixed` are fed and differentiated; all others are constants. */
export interface FusedCase {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (CaseInput | null)[];
  readonly attributes?: Attributes;
  /** Which outputs are asked for; the others have no name. */
  readonly outputs?: readonly number[];
  /** Outputs that onnxruntime's CPU kernel leaves empty, so that there is nothing to compare with. */
  readonly unfilled?: readonly number[];
  readonly opset?: number;
  readonly seed: number;
  /** Largest difference of the forward values, relative to those above 1. */
  readonly tolerance?: number;
  /** Compares the forward values only: a variant without smooth slopes, or one that nothing flows through. */
  readonly forwardOnly?: boolean;
  /** Which elements of the outputs count, by place; all by default. The others are what onnxruntime leaves unspecified. */
  readonly counts?: (element: number) => boolean;
  /** The variant has a gradient rule of its own and stays as it is. */
  readonly kept?: boolean;
  /** Writes the same another way, for a variant that onnxruntime's CPU does not compute; returns the outputs that are asked for. */
  readonly reference?: (b: Builder, inputs: readonly string[]) => readonly string[];
}

const MICROSOFT = 'com.microsoft';

/** A graph of the one fused node. */
function fusedGraph(test: FusedCase, dtype: DType): { graph: Graph; values: Map<string, number[]> } {
  const next = random(test.seed);
  const graph = new Graph();
  graph.opsets.set('', test.opset ?? 18);
  const b = new Builder(graph);
  const values = new Map<string, number[]>();
  const names = test.inputs.map((input, i) => {
    if (input === null) return '';
    const drawn = drawInput(input, next);
    const integer = input.dtype !== undefined && !input.dtype.startsWith('float');
    if (input.fixed !== undefined || integer || sizeOf(input.dims) === 0) {
      const name = `c${String(i)}`;
      graph.setConstant(name, constantOfCase(input, dtype, drawn));
      return name;
    }
    values.set(`x${String(i)}`, drawn);
    return addInput(graph, `x${String(i)}`, dtype, input.dims);
  });
  const asked = test.outputs ?? [0];
  const count = Math.max(...asked) + 1;
  const made = b.multi(test.op, names, test.attributes ?? {}, { domain: test.domain ?? MICROSOFT, outputs: count });
  const node = graph.nodes.at(-1)!;
  node.outputs = made.map((name, i) => (asked.includes(i) ? name : ''));
  graph.outputs = node.outputs.filter((name) => name !== '');
  return { graph, values };
}

function constantOfCase(input: CaseInput, dtype: DType, drawn: readonly number[]): Constant {
  // Nibbles are given as the bytes that hold two of them.
  if (input.dtype === 'uint4') return { dtype: 'uint4', dims: input.dims, data: Uint8Array.from(drawn) };
  return constantOf(input.dtype ?? dtype, input.dims, drawn);
}

async function run(graph: Graph, values: ReadonlyMap<string, number[]>): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(serialise(graph), {
    graphOptimizationLevel: 'basic',
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const feeds = Object.fromEntries(
    [...values].map(([name, data]) => [
      name,
      new ort.Tensor('float32', Float32Array.from(data), [...graph.dims(name)]),
    ]),
  );
  try {
    return (await session.run(feeds)) as Record<string, ort.Tensor>;
  } finally {
    await session.release();
  }
}

/**
 * Compares a lowering with onnxruntime's own fused kernel: every output's shape and values, and that the fused operator is gone.
 * Then the gradients of the lowered graph with finite differences, in double precision where possible, and those of the fused graph
 * (which `differentiate` lowers itself) with finite differences of the fused kernel.
 */
export async function checkLowering(test: FusedCase): Promise<void> {
  const { graph, values } = fusedGraph(test, 'float32');
  const fused = await expected(test, graph, values);
  const lowered = cloneGraph(graph);
  lower(lowered);
  const domain = test.domain ?? MICROSOFT;
  const stays = lowered.nodes.some((node) => node.op === test.op && node.domain === domain);
  assert.equal(stays, test.kept === true, `${test.op} is ${stays ? 'still there' : 'gone'}`);
  const result = await run(lowered, values);
  const [node] = graph.nodes;
  for (const name of graph.outputs) {
    const place = node!.outputs.indexOf(name);
    const what = `output ${String(place)} of ${test.op}`;
    assert.deepEqual(result[name]!.dims, graph.dims(name), `shape of ${what} lowered`);
    if (test.unfilled?.includes(place) === true) continue;
    assert.deepEqual(fused[name]!.dims, graph.dims(name), `shape of ${what}`);
    const counted = (values: readonly number[]) => values.filter((_, i) => test.counts?.(i) ?? true);
    const [wanted, got] = [counted(numbers(fused[name])), counted(numbers(result[name]))];
    const error = got.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i]!) / Math.max(1, Math.abs(x))), 0);
    assert.ok(error <= (test.tolerance ?? 2e-5), `${what} differs by ${String(error)}`);
  }
  if (test.forwardOnly === true) return;
  // Beside what masks a score (the lowest number), no difference of finite size is left.
  const smooth = graph.outputs.map((name) => numbers(fused[name]).every((value) => Math.abs(value) < 100));
  await checkLoweredGradient(test, smooth);
  if (test.reference === undefined && smooth.includes(true))
    await checkGraph(withoutUnfilled(graph, test, smooth), test.seed);
}

/** What the lowered graph has to give, under the names of the fused graph's outputs. */
async function expected(
  test: FusedCase,
  graph: Graph,
  values: ReadonlyMap<string, number[]>,
): Promise<Record<string, ort.Tensor>> {
  if (test.reference === undefined) return run(graph, values);
  const other = cloneGraph(graph);
  const { inputs } = other.nodes[0]!;
  other.nodes = [];
  other.outputs = [...test.reference(new Builder(other, 'reference'), inputs)];
  const result = await run(other, values);
  return Object.fromEntries(graph.outputs.map((name, i) => [name, result[other.outputs[i]!]!]));
}

/** Outputs that hold nothing, or huge numbers, cannot be differentiated numerically. */
function withoutUnfilled(graph: Graph, test: FusedCase, smooth: readonly boolean[]): Graph {
  const { outputs } = graph.nodes[0]!;
  graph.outputs = graph.outputs.filter((name, i) => {
    const empty = test.unfilled?.includes(outputs.indexOf(name)) === true;
    return smooth[i] === true && !empty && graph.type(name).dtype === 'float32';
  });
  // What is no output of the graph has no written type, and onnxruntime cannot infer all of them.
  graph.nodes[0]!.outputs = outputs.map((name) => (graph.outputs.includes(name) ? name : ''));
  return graph;
}

async function checkLoweredGradient(test: FusedCase, smooth: readonly boolean[]): Promise<void> {
  const { graph } = fusedGraph(test, 'float64');
  lower(graph);
  graph.outputs = graph.outputs.filter((name, i) => smooth[i] === true && graph.type(name).dtype === 'float64');
  assert.ok(graph.outputs.length > 0, `${test.op} has no output to differentiate`);
  try {
    await checkGraph(graph, test.seed);
  } catch (error) {
    // Some kernels exist in single precision only; the fused graph is checked in that.
    const missing = /NOT_IMPLEMENTED|Could not find an implementation|Type Error|not implemented/i;
    if (!(error instanceof Error) || !missing.test(error.message)) throw error;
  }
}
