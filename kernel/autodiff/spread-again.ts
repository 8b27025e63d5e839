import { Builder } from '../onnx/builder.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { constantBytes, consumers, sortNodes } from '../onnx/graph.ts';
import { after } from './after.ts';

/** Weights above this many bytes are worth being spread out twice. */
const LARGE_BYTES = 1 << 16;

/** Operators that only turn a weight before a product reads it. */
const TURNS: ReadonlySet<string> = new Set(['Transpose', 'Reshape', 'Squeeze', 'Unsqueeze']);

/** Writes a weight once more, not before `trigger` is computed. */
type Spread = (b: Builder, node: Node, trigger: string) => string;

/** Operators that turn a weight as it is stored into one to compute with, which takes more memory. */
const SPREADS: Readonly<Record<string, Spread>> = {
  Cast: (b, node, trigger) => b.op('Cast', [after(b, node.inputs[0]!, trigger)], node.attributes),
  DequantizeLinear: (b, node, trigger) => {
    const [codes, scale, ...zero] = node.inputs as [string, string, ...string[]];
    const dims = b.dims(scale);
    const late = b.reshape(after(b, b.reshape(scale, dims.length === 0 ? [1] : dims), trigger), dims);
    return b.op('DequantizeLinear', [codes, late, ...zero], node.attributes);
  },
};

/** Products take a weight that is made while the graph runs as fast as a stored one; others (Conv) prepare theirs. */
const PRODUCTS: ReadonlySet<string> = new Set(['FusedMatMul', 'Gemm', 'MatMul']);

/**
 * Lets the backward nodes (those from index `from` on) spread out weights of their own where the forward nodes have done so, in
 * place: those of half precision, and those behind DequantizeLinear. Such a weight is then in single precision for the moment of
 * one product, instead of from its forward use to its backward use, which for all weights together would be the whole model. The
 * forward products cast weights of half precision when it is their turn too; onnxruntime would do it before the first run, and
 * keep them. Products with 4-bit weights it recognises and leaves packed, so those are left alone.
 */
export function spreadAgain(graph: Graph, from: number): void {
  const spreads = new Map(
    graph.nodes.slice(0, from).flatMap((node) => (isSpread(graph, node) ? [[node.outputs[0]!, node]] : [])),
  );
  if (spreads.size === 0) return;
  const readers = consumers(graph);
  const b = new Builder(graph, 'gradient');
  for (const [at, node] of [...graph.nodes].entries()) {
    node.inputs = node.inputs.map((input) => {
      const spread = spreads.get(input);
      if (spread === undefined) return input;
      const [product, value] = readerOf(node, input, readers);
      if (at < from && (spread.op !== 'Cast' || !PRODUCTS.has(product.op))) return input;
      const trigger = product.inputs.find(
        (name) => name !== value && name !== '' && !graph.constants.has(name) && !spreads.has(name),
      );
      return trigger === undefined ? input : SPREADS[spread.op]!(b, spread, trigger);
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

function isSpread(graph: Graph, node: Node): boolean {
  if (SPREADS[node.op] === undefined || node.domain !== '') return false;
  const weight = graph.constants.get(node.inputs[0]!);
  if (weight === undefined || weight.dims.length === 0) return false;
  const { dtype } = graph.type(node.outputs[0]!);
  return isFloat(dtype) && constantBytes({ dtype, dims: weight.dims }) > LARGE_BYTES;
}
