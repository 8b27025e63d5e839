import { Builder } from '../onnx/builder.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { constantBytes, consumers, producers } from '../onnx/graph.ts';
import { zeroAfter } from './after.ts';

/** Attention matrices from this many bytes on are computed again rather than kept. */
const LARGE_BYTES = 8 << 20;
/** Together, those that are kept take at most so many bytes or, where that is more, this share of what the weights take. */
const KEPT_BYTES = 256 << 20;
const KEPT_SHARE = 1 / 5;
/** A chain is worth it where what it starts from is this many times smaller than what it makes. */
const SMALLER = 4;

/** What may lie between the product of queries and keys and the softmax: scale, mask, cap. The other operands must be small. */
const BETWEEN = new Set(['Add', 'Sub', 'Mul', 'Div', 'Where', 'Tanh', 'Cast', 'Identity']);

/**
 * Has the backward nodes (those from index `from` on) compute large attention matrices again, in place, instead of keeping them since the
 * forward pass: a matrix for each pair of places would be most of a gradient's memory, and the queries and keys that it is made of have to
 * be kept anyway. One more product and softmax for each layer, a few per cent of the time (Chen et al. 2016, arXiv 1604.06174; Dao et al.
 * 2022, arXiv 2205.14135). Some are kept all the same, those of the last layers, which the backward pass reads first: the very first
 * would be there again before anything else is given back.
 */
export function recomputeAttention(graph: Graph, from: number, keptBytes = affordable(graph)): void {
  const makers = producers(graph);
  const forward = new Set(graph.nodes.slice(0, from));
  const readers = consumers(graph);
  const b = new Builder(graph, 'gradient');
  const backward = graph.nodes.slice(from);
  graph.nodes = graph.nodes.slice(0, from);
  const again = new Map<string, string>();
  let room = keptBytes;
  for (const node of backward) {
    for (const [i, input] of node.inputs.entries()) {
      const softmax = makers.get(input);
      if (softmax === undefined || !forward.has(softmax)) continue;
      let own = again.get(input);
      if (own === undefined) {
        const chain = chainOf(graph, makers, softmax);
        const trigger = chain && triggerOf(makers, forward, readers.get(input) ?? []);
        const bytes = constantBytes(graph.type(input));
        const isKept = chain === undefined || trigger === undefined || bytes <= room;
        if (chain !== undefined && isKept) room -= bytes;
        own = isKept ? input : repeated(b, chain, trigger);
        again.set(input, own);
      }
      node.inputs[i] = own;
    }
    graph.nodes.push(node);
  }
}

function affordable(graph: Graph): number {
  const weights = [...graph.constants.values()].reduce((sum, constant) => sum + constantBytes(constant), 0);
  return Math.max(KEPT_BYTES, weights * KEPT_SHARE);
}

/** The nodes from the product of two small values to a large softmax, in order; undefined where this is no such thing. */
function chainOf(graph: Graph, makers: ReadonlyMap<string, Node>, softmax: Node): readonly Node[] | undefined {
  if (softmax.op !== 'Softmax' || softmax.domain !== '') return undefined;
  const bytes = constantBytes(graph.type(softmax.outputs[0]!));
  if (bytes < LARGE_BYTES) return undefined;
  const isSmall = (value: string) => value === '' || constantBytes(graph.type(value)) * SMALLER <= bytes;
  const chain = [softmax];
  for (;;) {
    const large = chain[0]!.inputs.filter((value) => !isSmall(value));
    const [value] = large;
    const node = value === undefined ? undefined : makers.get(value);
    if (large.length !== 1 || node === undefined || node.domain !== '') return undefined;
    chain.unshift(node);
    if (node.op === 'MatMul') return node.inputs.every(isSmall) ? chain : undefined;
    if (!BETWEEN.has(node.op)) return undefined;
  }
}

/** A value of the backward pass that the first of these readers reads too: before it is there, nothing has to be computed again. */
function triggerOf(
  makers: ReadonlyMap<string, Node>,
  forward: ReadonlySet<Node>,
  readers: readonly Node[],
): string | undefined {
  const isBackward = (value: string) => {
    const maker = makers.get(value);
    return maker !== undefined && !forward.has(maker);
  };
  for (const reader of readers) {
    if (forward.has(reader)) continue;
    const found = reader.inputs.find(isBackward);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The chain once more, from a first operand that waits for the trigger; the last value. */
function repeated(b: Builder, chain: readonly Node[], trigger: string): string {
  const names = new Map<string, string>();
  const [product] = chain as [Node];
  const [left] = product.inputs as [string];
  names.set(left, b.add(left, zeroAfter(b, trigger, b.graph.type(left).dtype)));
  for (const node of chain) {
    const [output] = node.outputs as [string];
    const inputs = node.inputs.map((input) => names.get(input) ?? input);
    names.set(output, b.op(node.op, inputs, node.attributes));
  }
  return names.get(chain.at(-1)!.outputs[0]!)!;
}
