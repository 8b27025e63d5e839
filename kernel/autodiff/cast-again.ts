import { Builder } from '../onnx/builder.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { constantBytes, consumers, sortNodes } from '../onnx/graph.ts';
import { after } from './after.ts';

/** Weights above this many bytes are worth a second cast. */
const LARGE_BYTES = 1 << 16;

/** Operators that only turn a weight before a product reads it. */
const TURNS: ReadonlySet<string> = new Set(['Transpose', 'Reshape', 'Squeeze', 'Unsqueeze']);

/**
 * Gives the backward nodes (those from index `from` on) casts of their own of the weights that the forward nodes have cast, in
 * place. A weight of half precision is then in single precision for the moment of one backward product, instead of a second time,
 * turned round, for as long as the session lives.
 */
export function castAgain(graph: Graph, from: number): void {
  const casts = new Map(
    graph.nodes.slice(0, from).flatMap((node) => (isWeightCast(graph, node) ? [[node.outputs[0]!, node]] : [])),
  );
  if (casts.size === 0) return;
  const readers = consumers(graph);
  const b = new Builder(graph, 'gradient');
  for (const node of graph.nodes.slice(from)) {
    node.inputs = node.inputs.map((input) => {
      const cast = casts.get(input);
      if (cast === undefined) return input;
      const [product, value] = readerOf(node, input, readers);
      const trigger = product.inputs.find(
        (name) => name !== value && name !== '' && !graph.constants.has(name) && !casts.has(name),
      );
      return trigger === undefined ? input : b.op('Cast', [after(b, cast.inputs[0]!, trigger)], cast.attributes);
    });
  }
  sortNodes(graph);
}

/** The node that computes with a weight, past those that only turn it, and the value that it reads. */
function readerOf(node: Node, input: string, readers: ReadonlyMap<string, readonly Node[]>): readonly [Node, string] {
  let [reader, value] = [node, input];
  while (TURNS.has(reader.op)) {
    value = reader.outputs[0]!;
    const [next] = readers.get(value) ?? [];
    if (next === undefined) break;
    reader = next;
  }
  return [reader, value];
}

function isWeightCast(graph: Graph, node: Node): boolean {
  if (node.op !== 'Cast' || node.domain !== '') return false;
  const weight = graph.constants.get(node.inputs[0]!);
  return weight !== undefined && weight.dims.length > 0 && isFloat(weight.dtype) && constantBytes(weight) > LARGE_BYTES;
}
