import { intAttr } from '../attributes.ts';
import { sizeOf } from '../dtype.ts';
import type { Graph, Node } from '../graph.ts';
import { consumers, producers } from '../graph.ts';
import { lower } from '../lower/index.ts';
import { normalAxis } from '../shapes/site.ts';

/** One attention of a graph: values' names. */
export interface Attention {
  /** The probabilities as they multiply the values, [batch and heads in some arrangement, …, keys]. */
  readonly weights: string;
  /** The keys as the queries are multiplied by them, [batch and heads …, size, keys]. */
  readonly keys: string;
  /** The probabilities times the values. */
  readonly output: string;
}

/** What may lie between the product of queries and keys and the softmax: scale, mask, cap, one more key; and other shapes. */
const BEFORE = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Where',
  'Max',
  'Min',
  'Clip',
  'Tanh',
  'Cast',
  'Identity',
  'Concat',
]);
/** What may lie between the softmax and the product with the values. */
const AFTER = new Set(['Cast', 'Identity', 'Dropout', 'Where', 'Mul', 'Slice']);
const SHAPES = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Expand']);

/** Fused operators that hide an attention, or the sums of a block around it. */
const FUSED = new Set([
  ...['Attention', 'MultiHeadAttention', 'GroupQueryAttention', 'FusedMatMul', 'TransposeMatMul'],
  ...['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization', 'BiasAdd'],
]);

/** Writes out, in place, the operators that hide attention probabilities and the sums between blocks; the graph must be bound. */
export function lowerAttention(graph: Graph): void {
  lower(graph, ({ op }) => FUSED.has(op));
}

/**
 * The attentions of a bound graph in order, found by their structure: a softmax over the last axis of what comes from a product of two computed
 * values, through scales, masks and casts, and that itself multiplies computed values. Fused operators must have been written out
 * (`lowerAttention`).
 */
export function findAttention(graph: Graph): Attention[] {
  const makers = producers(graph);
  const readers = consumers(graph);
  return graph.nodes.flatMap((node) => {
    if (node.op !== 'Softmax' || node.domain !== '') return [];
    const rank = graph.dims(node.outputs[0]!).length;
    if (normalAxis(intAttr(node, 'axis', -1), rank) !== rank - 1) return [];
    const before = productBefore(graph, makers, node.inputs[0]!);
    const after = productAfter(graph, readers, node.outputs[0]!);
    if (before === undefined || after === undefined) return [];
    return [{ weights: after.inputs[0]!, keys: before.inputs[1]!, output: after.outputs[0]! }];
  });
}

/** Whether a graph has a softmax at all. */
export function hasSoftmax(graph: Graph): boolean {
  return graph.nodes.some(({ op }) => op === 'Softmax');
}

const isComputed = (graph: Graph, name: string | undefined): name is string =>
  name !== undefined && name !== '' && !graph.constants.has(name);

/** The product that scores come from. */
function productBefore(graph: Graph, makers: ReadonlyMap<string, Node>, scores: string): Node | undefined {
  let value = scores;
  for (;;) {
    const node = makers.get(value);
    if (node === undefined || node.domain !== '') return undefined;
    if (node.op === 'MatMul') return node.inputs.every((input) => isComputed(graph, input)) ? node : undefined;
    if (SHAPES.has(node.op)) value = node.inputs[0]!;
    else if (BEFORE.has(node.op)) {
      // Masks, factors and an additional key are smaller than the scores, or no numbers.
      const { dtype } = graph.type(value);
      const operands = node.inputs.filter((input) => isComputed(graph, input) && graph.type(input).dtype === dtype);
      const candidates = node.op === 'Cast' ? node.inputs : operands;
      const largest = candidates.toSorted((a, b) => sizeOf(graph.dims(b)) - sizeOf(graph.dims(a)));
      const found = largest.find((input) => leadsToProduct(graph, makers, input));
      if (found === undefined) return undefined;
      value = found;
    } else return undefined;
  }
}

/** A mask may be as large as the scores: the operand that comes from a product is meant. */
function leadsToProduct(graph: Graph, makers: ReadonlyMap<string, Node>, value: string): boolean {
  const node = makers.get(value);
  return node?.op === 'MatMul' ? true : node !== undefined && productBefore(graph, makers, value) !== undefined;
}

/** The product that takes the probabilities as its left factor. */
function productAfter(graph: Graph, readers: ReadonlyMap<string, readonly Node[]>, weights: string): Node | undefined {
  for (const node of readers.get(weights) ?? []) {
    if (node.op === 'MatMul' && node.domain === '') {
      if (node.inputs[0] === weights && isComputed(graph, node.inputs[1])) return node;
    } else if ((AFTER.has(node.op) || SHAPES.has(node.op)) && node.domain === '') {
      const found = productAfter(graph, readers, node.outputs[0]!);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** What each computed value depends on: the values that are computed from `from`, itself included. */
export function computedFrom(graph: Graph, from: Iterable<string>): ReadonlySet<string> {
  const reached = new Set(from);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => reached.has(input))) for (const output of node.outputs) reached.add(output);
  }
  return reached;
}

/**
 * What a transformer block gives out, for each attention of a graph: the last of the sums that lead past its parts, x + attention(x) and
 * y + feed-forward(y), found by their structure. Undefined where no sum follows.
 * @param input of the graph, on which what is summed depends
 */
export function blockOutputs(graph: Graph, attentions: readonly Attention[], input: string): (string | undefined)[] {
  const fromInput = computedFrom(graph, [input]);
  const behind = attentions.map(({ output }) => computedFrom(graph, [output]));
  const sums = graph.nodes.filter(
    ({ op, domain, inputs }) => op === 'Add' && domain === '' && inputs.every((name) => fromInput.has(name)),
  );
  const dimsOf = (node: Node) => graph.dims(node.outputs[0]!).join();
  return attentions.map((_, i) => {
    const [own, next] = [behind[i]!, behind[i + 1]];
    // x + attention(x): x does not depend on this attention.
    const first = sums.find(
      ({ inputs }) => inputs.some((name) => own.has(name)) && !inputs.every((name) => own.has(name)),
    );
    if (first === undefined) return undefined;
    const later = sums.filter(
      (node) => dimsOf(node) === dimsOf(first) && !node.inputs.some((name) => next?.has(name) === true),
    );
    let last = first;
    for (;;) {
      const further = later.find(({ inputs }) => inputs.includes(last.outputs[0]!));
      if (further === undefined) break;
      last = further;
    }
    if (last !== first) return last.outputs[0]!;
    // Where a normalisation stands behind the sum, the next one adds to what that gives.
    const after = computedFrom(graph, first.outputs);
    const second = later.find(({ inputs }) => inputs.every((name) => after.has(name)));
    return (second ?? first).outputs[0]!;
  });
}
