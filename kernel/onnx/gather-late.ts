import { intAttr } from './attributes.ts';
import { Builder } from './builder.ts';
import type { Graph, Node } from './graph.ts';
import { int, producers, sortNodes } from './graph.ts';
import { sizeOf } from './dtype.ts';
import { prune } from './prune.ts';
import { normalAxis } from './shapes/site.ts';
import { permutation } from './shapes/structure.ts';

/**
 * For a node and an axis of its output along which it treats positions independently: the matching axis of each input, and
 * undefined for an input that is the same at all positions. No answer where positions mix.
 */
type AxisRule = (graph: Graph, node: Node, axis: number) => readonly (number | undefined)[] | undefined;

const rankOf = (graph: Graph, name: string): number => graph.dims(name).length;

/** Broadcasting aligns the last axes; an input that lacks the axis, or has 1 there, is the same at all positions. */
const elementwise: AxisRule = (graph, node, axis) => {
  const rank = rankOf(graph, node.outputs[0]!);
  const size = graph.dims(node.outputs[0]!)[axis]!;
  return node.inputs.map((input) => {
    if (input === '') return undefined;
    const at = axis - (rank - rankOf(graph, input));
    return at >= 0 && graph.dims(input)[at] === size && size !== 1 ? at : undefined;
  });
};

/** Rows of the left matrix are independent, and columns of a weight; stacked axes are not followed. */
const matMul: AxisRule = (graph, node, axis) => {
  const rank = rankOf(graph, node.outputs[0]!);
  const [left, right] = node.inputs as [string, string];
  if (axis === rank - 1 && isWeight(graph, right)) return [undefined, 1];
  const rows = axis === rank - 2 || rankOf(graph, right) === 2;
  return rows && axis < rank - 1 && rankOf(graph, left) === rank ? [axis, undefined] : undefined;
};

const gemm: AxisRule = (graph, node, axis) => {
  if (intAttr(node, 'transA', 0) !== 0 || node.inputs.length !== 2) return undefined;
  if (axis === 0) return [0, undefined];
  return isWeight(graph, node.inputs[1]!) ? [undefined, intAttr(node, 'transB', 0) === 0 ? 1 : 0] : undefined;
};

/** A stored matrix, perhaps in another element type or turned. */
function isWeight(graph: Graph, name: string): boolean {
  if (rankOf(graph, name) !== 2) return false;
  if (graph.constants.has(name)) return true;
  const maker = producers(graph).get(name);
  return maker !== undefined && ['Cast', 'Transpose'].includes(maker.op) && graph.constants.has(maker.inputs[0]!);
}

/** Normalises from `axis` on; positions before it are independent. */
const normalisation: AxisRule = (graph, node, axis) => {
  const from = normalAxis(intAttr(node, 'axis', -1), rankOf(graph, node.inputs[0]!));
  return axis < from ? node.inputs.map((_, i) => (i === 0 ? axis : undefined)) : undefined;
};

/** Rows of x are independent of each other, whatever the packed weight. */
const packedProduct: AxisRule = (graph, node, axis) =>
  axis < rankOf(graph, node.outputs[0]!) - 1 ? node.inputs.map((_, i) => (i === 0 ? axis : undefined)) : undefined;

/** Rows of x and of the residual are normalised one by one; a residual that is the same for all stays whole. */
const skipNormalisation: AxisRule = (graph, node, axis) => {
  if (axis >= rankOf(graph, node.inputs[0]!) - 1) return undefined;
  const same = graph.dims(node.inputs[0]!).join() === graph.dims(node.inputs[1]!).join();
  return same ? node.inputs.map((_, i) => (i < 2 ? axis : undefined)) : undefined;
};

const softmax: AxisRule = (graph, node, axis) =>
  axis === normalAxis(intAttr(node, 'axis', -1), rankOf(graph, node.inputs[0]!)) ? undefined : [axis];

/** A reduction that keeps its axes, over other axes. */
const reduction: AxisRule = (graph, node, axis) => {
  const [before, after] = [graph.dims(node.inputs[0]!), graph.dims(node.outputs[0]!)];
  if (before.length !== after.length || before[axis] !== after[axis]) return undefined;
  return [axis, undefined];
};

/** Axes other than the positions may move. */
const transpose: AxisRule = (graph, node, axis) => [
  permutation({ node, dims: (i) => graph.dims(node.inputs[i]!) })[axis],
];

/** The positions must stay an axis of their own: as many elements before it, and the same size. */
const reshape: AxisRule = (graph, node, axis) => {
  const [before, after] = [graph.dims(node.inputs[0]!), graph.dims(node.outputs[0]!)];
  const outer = sizeOf(after.slice(0, axis));
  const from = before.findIndex((dim, i) => dim === after[axis] && sizeOf(before.slice(0, i)) === outer);
  return from < 0 ? undefined : [from, undefined];
};

/** Parts of, or joined along, another axis. */
const otherAxis: AxisRule = (graph, node, axis) => {
  const own = normalAxis(intAttr(node, 'axis', 0), rankOf(graph, node.outputs[0]!));
  return own === axis ? undefined : node.inputs.map((_, i) => (node.op === 'Concat' || i === 0 ? axis : undefined));
};

/** Along the positions everything is taken. */
const slice: AxisRule = (graph, node, axis) =>
  graph.dims(node.inputs[0]!)[axis] === graph.dims(node.outputs[0]!)[axis] && node.inputs[4] === undefined
    ? node.inputs.map((_, i) => (i === 0 ? axis : undefined))
    : undefined;

const unary = ['Cast', 'Erf', 'Exp', 'Gelu', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'Log', 'Mish', 'Neg'];
const moreUnary = ['Reciprocal', 'Relu', 'Sigmoid', 'Softplus', 'Sqrt', 'Tanh'];
const binary = ['Add', 'Clip', 'Div', 'Max', 'Min', 'Mul', 'Pow', 'Sub', 'Sum', 'Where'];

const AXIS_RULES: Readonly<Record<string, AxisRule>> = {
  ...Object.fromEntries([...unary, ...moreUnary, ...binary].map((op) => [op, elementwise])),
  MatMul: matMul,
  MatMulBnb4: packedProduct,
  MatMulNBits: packedProduct,
  BiasGelu: packedProduct,
  FastGelu: packedProduct,
  QuickGelu: elementwise,
  SkipLayerNormalization: skipNormalisation,
  SkipSimplifiedLayerNormalization: skipNormalisation,
  Gemm: gemm,
  LayerNormalization: normalisation,
  RMSNormalization: normalisation,
  SimplifiedLayerNormalization: normalisation,
  Softmax: softmax,
  LogSoftmax: softmax,
  ReduceMean: reduction,
  ReduceSum: reduction,
  ReduceMax: reduction,
  Transpose: transpose,
  Reshape: reshape,
  Unsqueeze: reshape,
  Squeeze: reshape,
  Concat: otherAxis,
  Split: otherAxis,
  Slice: slice,
};

/**
 * A value at some positions of an axis only, computed only there: the choice of positions is moved up through every operator that
 * treats positions independently and whose result nobody needs at all positions: the language-model head, the last norm, the last
 * layer up to its queries. In place; the graph must be bound. Where the value is an output of the graph, what it returns takes
 * its place.
 *
 * @param value a value such as 'logits', of shape [batch, sequence, …]
 * @param indices an int64 vector (an input or a constant of the graph): positions along `axis`
 * @returns the value at these positions: [batch, positions, …]
 */
export function gatherLate(graph: Graph, value: string, indices: string, axis = 1): string {
  const at = normalAxis(axis, rankOf(graph, value));
  const moved = movableNodes(graph, value, at);
  const b = new Builder(graph, 'late');
  const count = sizeOf(graph.dims(indices));
  const done = new Map<string, string>();
  const keyOf = (name: string, along: number) => `${name}@${String(along)}`;
  const gathered = (name: string, along: number): string => {
    const key = keyOf(name, along);
    const known = done.get(key) ?? b.op('Gather', [name, indices], { axis: int(along) });
    done.set(key, known);
    return known;
  };
  for (const node of [...graph.nodes]) {
    const plan = moved.get(node);
    if (plan === undefined) continue;
    const inputs = node.inputs.map((input, i) =>
      plan.inputs[i] === undefined ? input : gathered(input, plan.inputs[i]),
    );
    const outputs = RESHAPES.includes(node.op)
      ? [b.reshape(inputs[0]!, graph.dims(node.outputs[0]!).with(plan.axis, count))]
      : applied(b, node, inputs);
    node.outputs.forEach((output, i) => {
      if (output !== '') done.set(keyOf(output, plan.axis), outputs[i]!);
    });
  }
  const result = gathered(value, at);
  graph.outputs = graph.outputs.map((output) => (output === value ? result : output));
  sortNodes(graph);
  prune(graph);
  return result;
}

/** The same operator on other inputs; what nobody named before stays unnamed, so that it is not computed. */
function applied(b: Builder, node: Node, inputs: readonly string[]): readonly string[] {
  const made = b.multi(node.op, inputs, node.attributes, { domain: node.domain, outputs: node.outputs.length });
  b.graph.nodes.at(-1)!.outputs = made.map((name, i) => (node.outputs[i] === '' ? '' : name));
  return made;
}

/** Operators whose new shape is an input, which has to change. */
const RESHAPES: readonly string[] = ['Reshape', 'Unsqueeze', 'Squeeze'];

interface Plan {
  /** The positions' axis in the outputs, and in each input (undefined: taken whole). */
  readonly axis: number;
  readonly inputs: readonly (number | undefined)[];
}

/** From the value upwards: nodes that can work on the chosen positions alone, because everyone who reads them does. */
function movableNodes(graph: Graph, value: string, at: number): ReadonlyMap<Node, Plan> {
  const whole = new Set(graph.outputs.filter((output) => output !== value));
  const asked = new Map<string, Set<number>>([[value, new Set([at])]]);
  const moved = new Map<Node, Plan>();
  for (const node of graph.nodes.toReversed()) {
    const read = node.outputs.filter((output) => whole.has(output) || asked.has(output));
    if (read.length === 0) continue;
    const axes = new Set(read.flatMap((output) => [...(asked.get(output) ?? [])]));
    const [axis] = [...axes];
    const alone = axes.size === 1 && !read.some((output) => whole.has(output));
    const inputs = alone ? AXIS_RULES[node.op]?.(graph, node, axis!) : undefined;
    if (inputs !== undefined) moved.set(node, { axis: axis!, inputs });
    node.inputs.forEach((input, i) => {
      const along = inputs?.[i];
      if (along === undefined) whole.add(input);
      else asked.set(input, new Set([...(asked.get(input) ?? []), along]));
    });
  }
  return moved;
}
