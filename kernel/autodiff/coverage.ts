import { LensError } from '../errors.ts';
import { bind } from '../onnx/bind.ts';
import { cloneGraph } from '../onnx/compose.ts';
import { Builder } from '../onnx/builder.ts';
import type { DType } from '../onnx/dtype.ts';
import { isFloat, sizeOf } from '../onnx/dtype.ts';
import type { Constant, Graph, GraphInput, Node } from '../onnx/graph.ts';
import { constantBytes, constantOf, inputsWithCaptures } from '../onnx/graph.ts';
import { loweringOf } from '../onnx/lower/index.ts';
import { prune } from '../onnx/prune.ts';
import { readGraph } from '../onnx/read.ts';
import { differentiate } from './differentiate.ts';
import { gradientRule, valuesBetween } from './path.ts';
import { ROUNDING } from './rounding.ts';

/**
 * How an operator is dealt with where a gradient meets it: it has a `rule`; nothing flows through it (`zero`); it is `lowered` to
 * operators that have rules; it is computed away when shapes are bound (`static`); it `rounds` to 8 bits, which has no gradient; or
 * nothing is known of it (`missing`).
 */
export type Support = 'rule' | 'zero' | 'lowered' | 'static' | 'rounds' | 'missing';

export interface OperatorUse {
  /** With its domain, unless that is ONNX's own: 'com.microsoft.MatMulNBits'. */
  readonly operator: string;
  readonly count: number;
  readonly support: Support;
}

/** What a model file needs and whether a gradient passes it. */
export interface Coverage {
  readonly file: string;
  /** By name. */
  readonly operators: readonly OperatorUse[];
  /** Of the weights: element types with their bytes, largest first. */
  readonly weights: readonly { readonly dtype: DType; readonly bytes: number }[];
  /** Whether gradients pass from the real-valued inputs to the first real-valued output. */
  readonly gradient: 'yes' | 'not needed' | 'no';
  /** Why not, or why it is not needed. */
  readonly reason?: string;
  /** Estimate of the memory that one gradient takes; undefined where the graph could not be bound. */
  readonly memory?: Memory;
  /** The sizes that open dimensions were given for the estimate. */
  readonly dims: Readonly<Record<string, number>>;
}

/** In bytes. */
export interface Memory {
  readonly weights: number;
  /** Greatest sum of all values that are alive at once while the outputs alone are computed. */
  readonly forward: number;
  /** The same with the gradient: values that it reads stay until then. */
  readonly gradient: number;
}

/** Operators on shapes and sizes, or of constants, that binding computes. */
const STATIC: ReadonlySet<string> = new Set(['Constant', 'If', 'Loop']);

/** How a node's operator is dealt with. */
export const supportOf = (node: Node): Support => {
  const rule = gradientRule(node);
  if (ROUNDING.has(node.op)) return 'rounds';
  if (rule === 'zero') return 'zero';
  if (rule !== undefined) return 'rule';
  if (loweringOf(node) !== undefined) return 'lowered';
  return node.domain === '' && STATIC.has(node.op) ? 'static' : 'missing';
};

/**
 * Reads an ONNX file and says what stands between it and a gradient: operators and how each is supported, the weights' types, whether
 * a gradient passes, and an estimate of the memory it takes.
 *
 * The memory is counted, not measured: the graph is bound (batch 1, one image, empty cache, sequences of `sequence` tokens unless
 * `dims` says otherwise), differentiated, and walked in order; each value lives from the node that makes it to the last that reads
 * it. A runtime that fuses nodes needs less, one that keeps buffers needs more.
 *
 * @throws LensError where the file cannot be read
 */
export function coverage(
  file: string,
  { dims = {}, sequence = 256 }: { readonly dims?: Readonly<Record<string, number>>; readonly sequence?: number } = {},
): Coverage {
  const graph = readGraph(file);
  const sizes = openSizes(graph, dims, sequence);
  const base = { file, operators: operatorsOf(graph), weights: weightsOf(graph), dims: sizes };
  const real = graph.inputs.filter(({ name, dtype }) => isFloat(dtype) && !name.startsWith('past_key_values'));
  let bound: Graph;
  try {
    bound = boundFor(graph, sizes, sequence);
  } catch (error) {
    if (!(error instanceof LensError)) throw error;
    return { ...base, gradient: real.length === 0 ? 'not needed' : 'no', reason: error.message };
  }
  const output = bound.outputs.find((name) => isFloat(bound.type(name).dtype));
  const weights = totalOf(base.weights.map(({ bytes }) => bytes));
  const forward = peak(bound);
  if (real.length === 0 || output === undefined) {
    const reason = real.length === 0 ? 'it has no real-valued input' : 'it has no real-valued output';
    return { ...base, gradient: 'not needed', reason, memory: { weights, forward, gradient: forward } };
  }
  try {
    const backward = cloneGraph(bound);
    const b = new Builder(backward, 'gradient');
    const cotangent = b.expand(b.scalar(1, output), backward.dims(output));
    const reaching = real.filter(
      ({ name }) => valuesBetween(backward, { of: [{ value: output }], wrt: [name] }).size > 0,
    );
    // Where none reaches it, differentiating says why.
    const wrt = (reaching.length > 0 ? reaching : real).map(({ name }) => name);
    const gradients = differentiate(backward, { of: [{ value: output, cotangent }], wrt });
    backward.outputs = [output, ...Object.values(gradients)];
    prune(backward);
    return { ...base, gradient: 'yes', memory: { weights, forward, gradient: peak(backward) } };
  } catch (error) {
    if (!(error instanceof LensError)) throw error;
    return { ...base, gradient: 'no', reason: error.message, memory: { weights, forward, gradient: forward } };
  }
}

const totalOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

function operatorsOf(graph: Graph): OperatorUse[] {
  const uses = new Map<string, { count: number; support: Support }>();
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      const name = node.domain === '' ? node.op : `${node.domain}.${node.op}`;
      const use = uses.get(name) ?? { count: 0, support: supportOf(node) };
      use.count++;
      uses.set(name, use);
      for (const attribute of Object.values(node.attributes)) {
        if (attribute.kind === 'graph') visit(attribute.value.nodes);
      }
    }
  };
  visit(graph.nodes);
  return [...uses]
    .map(([operator, use]) => ({ operator, ...use }))
    .sort((a, b) => a.operator.localeCompare(b.operator));
}

function weightsOf(graph: Graph): { dtype: DType; bytes: number }[] {
  const bytes = new Map<DType, number>();
  for (const constant of graph.constants.values()) {
    bytes.set(constant.dtype, (bytes.get(constant.dtype) ?? 0) + constantBytes(constant));
  }
  return [...bytes].map(([dtype, size]) => ({ dtype, bytes: size })).sort((a, b) => b.bytes - a.bytes);
}

/** Sizes of open dimensions by what exporters call them: [name, size for sequences of n tokens]. The first that fits counts. */
const USUAL: readonly (readonly [name: RegExp, size: (sequence: number) => number])[] = [
  [/past.*\+|total|kv_len/i, (sequence) => sequence],
  [/past|cache/i, () => 0],
  [/batch|num_images|images|frames|num_tiles/i, () => 1],
  [/height|width|image_size/i, () => 224],
  [/channel/i, () => 3],
  [/seq|length|tokens|position/i, (sequence) => sequence],
];

function openSizes(graph: Graph, given: Readonly<Record<string, number>>, sequence: number): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { name, dims } of graph.inputs) {
    for (const [axis, dim] of dims.entries()) {
      if (typeof dim !== 'string') continue;
      const usual = USUAL.find(([pattern]) => pattern.test(dim))?.[1](sequence);
      // Unnamed: the first is the batch; of an image, the last two are its sides.
      const side = isFloat(graph.inputs.find((input) => input.name === name)!.dtype) && dims.length === 4 && axis >= 2;
      sizes[dim] = given[dim] ?? usual ?? (axis === 0 ? 1 : side ? 224 : sequence);
    }
  }
  return sizes;
}

/** Bound with as few inputs known as it takes. */
function boundFor(graph: Graph, dims: Readonly<Record<string, number>>, sequence: number): Graph {
  const whole = graph.inputs.filter(({ dtype }) => !isFloat(dtype));
  const attempts: readonly (readonly GraphInput[])[] = [[], whole.filter(({ dtype }) => dtype === 'bool'), whole];
  for (const [i, known] of attempts.entries()) {
    const copy = cloneGraph(graph);
    try {
      bind(copy, {
        dims,
        constants: Object.fromEntries(known.map((input) => [input.name, typical(input, dims, sequence)])),
      });
      return copy;
    } catch (error) {
      if (i === attempts.length - 1) throw error;
    }
  }
  throw new Error('unreachable');
}

/** A mask of ones, positions one after the other, a cache that is not used, and otherwise ones. */
function typical(
  { name, dtype, dims }: GraphInput,
  sizes: Readonly<Record<string, number>>,
  sequence: number,
): Constant {
  const shape = dims.map((dim) => (typeof dim === 'number' ? dim : sizes[dim]!));
  const count = sizeOf(shape);
  const positions = name.includes('position');
  const values = Array.from({ length: count }, (_, i) => (dtype === 'bool' ? 0 : positions ? i % sequence : 1));
  return constantOf(dtype, shape, values);
}

/** Greatest number of bytes alive at once: each value lives from the node that makes it to the last node that reads it. */
function peak(graph: Graph): number {
  const last = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const name of inputsWithCaptures(node)) last.set(name, i);
  });
  for (const name of graph.outputs) last.set(name, graph.nodes.length);
  const bytesOf = (name: string): number => {
    const type = graph.types.get(name);
    return type === undefined || graph.constants.has(name) ? 0 : constantBytes(type);
  };
  let alive = totalOf(graph.inputs.map(({ name }) => bytesOf(name)));
  let most = alive;
  graph.nodes.forEach((node, i) => {
    const outputs = node.outputs.filter((name) => name !== '');
    alive += totalOf(outputs.map(bytesOf));
    most = Math.max(most, alive);
    const done = new Set([...inputsWithCaptures(node), ...outputs]);
    const inputs = new Set(graph.inputs.map(({ name }) => name));
    for (const name of done) if ((last.get(name) ?? -1) <= i && !inputs.has(name)) alive -= bytesOf(name);
  });
  return most;
}
