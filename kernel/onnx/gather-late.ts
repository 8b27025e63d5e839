import { intAttr } from './attributes.ts';
import { Builder } from './builder.ts';
import type { Graph, Node } from './graph.ts';
import { int, producers, sortNodes } from './graph.ts';
import { prune } from './prune.ts';
import { normalAxis } from './shapes/site.ts';

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

/** Rows of the left matrix are independent; stacked axes are not followed. */
const matMul: AxisRule = (graph, node, axis) => {
  const rank = rankOf(graph, node.outputs[0]!);
  const [left, right] = node.inputs as [string, string];
  const rows = axis === rank - 2 || rankOf(graph, right) === 2;
  return rows && axis < rank - 1 && rankOf(graph, left) === rank ? [axis, undefined] : undefined;
};

const gemm: AxisRule = (_graph, node, axis) =>
  axis === 0 && intAttr(node, 'transA', 0) === 0 && node.inputs.length === 2 ? [0, undefined] : undefined;

/** Normalises from `axis` on; positions before it are independent. */
const normalisation: AxisRule = (graph, node, axis) => {
  const from = normalAxis(intAttr(node, 'axis', -1), rankOf(graph, node.inputs[0]!));
  return axis < from ? node.inputs.map((_, i) => (i === 0 ? axis : undefined)) : undefined;
};

const softmax: AxisRule = (graph, node, axis) =>
  axis === normalAxis(intAttr(node, 'axis', -1), rankOf(graph, node.inputs[0]!)) ? undefined : [axis];

/** A reduction that keeps its axes, over other axes. */
const reduction: AxisRule = (graph, node, axis) => {
  const [before, after] = [graph.dims(node.inputs[0]!), graph.dims(node.outputs[0]!)];
  if (before.length !== after.length || before[axis] !== after[axis]) return undefined;
  return [axis, undefined];
};

const unary = ['Cast', 'Erf', 'Exp', 'Gelu', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'Log', 'Mish', 'Neg'];
const moreUnary = ['Reciprocal', 'Relu', 'Sigmoid', 'Softplus', 'Sqrt', 'Tanh'];
const binary = ['Add', 'Clip', 'Div', 'Max', 'Min', 'Mul', 'Pow', 'Sub', 'Sum', 'Where'];

const AXIS_RULES: Readonly<Record<string, AxisRule>> = {
  ...Object.fromEntries([...unary, ...moreUnary, ...binary].map((op) => [op, elementwise])),
  MatMul: matMul,
  Gemm: gemm,
  LayerNormalization: normalisation,
  RMSNormalization: normalisation,
  SimplifiedLayerNormalization: normalisation,
  Softmax: softmax,
  LogSoftmax: softmax,
  ReduceMean: reduction,
  ReduceSum: reduction,
  ReduceMax: reduction,
};

/**
 * A value at some positions of an axis only, computed only there: the choice of positions is moved up through every operator that
 * treats positions independently (the language-model head, the last norm, …) until it meets one that does not (attention). In
 * place; the graph must be bound. Where the value is an output of the graph, what it returns takes its place.
 *
 * @param value a value such as 'logits', of shape [batch, sequence, …]
 * @param indices an int64 vector (an input or a constant of the graph): positions along `axis`
 * @returns the value at these positions: [batch, positions, …]
 */
export function gatherLate(graph: Graph, value: string, indices: string, axis = 1): string {
  const b = new Builder(graph, 'late');
  const maker = producers(graph);
  const done = new Map<string, string>();
  const at = normalAxis(axis, rankOf(graph, value));

  const move = (name: string, axis: number): string => {
    const key = `${name}@${String(axis)}`;
    const known = done.get(key);
    if (known !== undefined) return known;
    const node = maker.get(name);
    const axes = node?.outputs[0] === name ? AXIS_RULES[node.op]?.(graph, node, axis) : undefined;
    let result: string;
    if (node === undefined || axes === undefined) result = b.op('Gather', [name, indices], { axis: int(axis) });
    else {
      const inputs = node.inputs.map((input, i) => (axes[i] === undefined ? input : move(input, axes[i])));
      result = b.op(node.op, inputs, node.attributes, { domain: node.domain });
    }
    done.set(key, result);
    return result;
  };

  const result = move(value, at);
  graph.outputs = graph.outputs.map((output) => (output === value ? result : output));
  sortNodes(graph);
  prune(graph);
  return result;
}
