import assert from 'node:assert/strict';
import * as ort from 'onnxruntime-node';
import type { Attributes, DType } from '../../../kernel/onnx/index.ts';
import { Builder, Graph, addInput, cloneGraph, lower, serialise, sizeOf } from '../../../kernel/onnx/index.ts';
import { checkGraph, drawInput, random } from '../../autodiff/check.ts';
import type { CaseInput } from '../../autodiff/check.ts';
import { distance, numbers } from '../run.ts';

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
  /** Largest absolute difference of the forward values. */
  readonly tolerance?: number;
  /** Compares the forward values only: a variant without smooth slopes, or one that nothing flows through. */
  readonly forwardOnly?: boolean;
}

const MICROSOFT = 'com.microsoft';

/** A graph of the one fused node. */
function fusedGraph(test: FusedCase, dtype: DType): { graph: Graph; values: Map<string, number[]> } {
  const next = random(test.seed);
  const graph = new Graph();
  graph.opsets.set('', test.opset ?? 20);
  const b = new Builder(graph);
  const values = new Map<string, number[]>();
  const names = test.inputs.map((input, i) => {
    if (input === null) return '';
    const drawn = drawInput(input, next);
    const integer = input.dtype !== undefined && !input.dtype.startsWith('float');
    if (input.fixed !== undefined || integer || sizeOf(input.dims) === 0) {
      const name = `c${String(i)}`;
      graph.setConstant(name, { ...constantType(b, input, dtype, drawn), dims: input.dims });
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

function constantType(b: Builder, input: CaseInput, dtype: DType, drawn: readonly number[]) {
  const name = b.constant(input.dtype ?? dtype, input.dims, drawn, 'given');
  return b.graph.constants.get(name)!;
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
  const fused = await run(graph, values);
  const lowered = cloneGraph(graph);
  lower(lowered);
  const domain = test.domain ?? MICROSOFT;
  assert.ok(!lowered.nodes.some((node) => node.op === test.op && node.domain === domain), `${test.op} is still there`);
  const result = await run(lowered, values);
  const [node] = graph.nodes;
  for (const name of graph.outputs) {
    const place = node!.outputs.indexOf(name);
    const what = `output ${String(place)} of ${test.op}`;
    assert.deepEqual(result[name]!.dims, graph.dims(name), `shape of ${what} lowered`);
    if (test.unfilled?.includes(place) === true) continue;
    assert.deepEqual(fused[name]!.dims, graph.dims(name), `shape of ${what}`);
    const error = distance(numbers(fused[name]), numbers(result[name]));
    assert.ok(error <= (test.tolerance ?? 2e-5), `${what} differs by ${String(error)}`);
  }
  if (test.forwardOnly === true) return;
  await checkLoweredGradient(test);
  await checkGraph(withoutUnfilled(graph, test), test.seed);
}

/** Outputs that hold nothing cannot be differentiated numerically. */
function withoutUnfilled(graph: Graph, test: FusedCase): Graph {
  const { outputs } = graph.nodes[0]!;
  graph.outputs = graph.outputs.filter((name) => {
    const empty = test.unfilled?.includes(outputs.indexOf(name)) === true;
    return !empty && graph.type(name).dtype === 'float32';
  });
  return graph;
}

async function checkLoweredGradient(test: FusedCase): Promise<void> {
  const { graph } = fusedGraph(test, 'float64');
  lower(graph);
  graph.outputs = graph.outputs.filter((name) => graph.type(name).dtype === 'float64');
  try {
    await checkGraph(graph, test.seed);
  } catch (error) {
    // Some kernels exist in single precision only; the fused graph is checked in that.
    if (
      !(error instanceof Error) ||
      !/NOT_IMPLEMENTED|Could not find an implementation|Type Error|not implemented/i.test(error.message)
    ) {
      throw error;
    }
  }
}
