import { constantOf, constantValues, isReference } from '../onnx/index.ts';
import type { Constant, Graph } from '../onnx/index.ts';

/** Operators that show the same numbers in another shape. */
const VIEWS = new Set(['Reshape', 'Identity', 'Cast', 'Flatten']);

/**
 * Encoders that take several views leave out those of zeros, which fill up batches of pictures with fewer views: they compare
 * all pixels with 0, and the shapes of everything after depend on it. Our views are never all zeros, so the comparison gets a
 * tensor of ones instead, and the shapes are known. In place, before binding.
 * @param input the encoder's input of pixels
 * @param batch number of pictures, each of `views` views
 */
export function assumeRealViews(graph: Graph, input: string, batch: number, views: number): void {
  const shown = new Map([[input, [batch, views, 1, 1, 1]]]);
  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    if (VIEWS.has(node.op) && shown.has(node.inputs[0]!)) {
      const same = node.op === 'Identity' || node.op === 'Cast';
      shown.set(node.outputs[0]!, same ? shown.get(node.inputs[0]!)! : [batch * views, 1, 1, 1]);
    }
    if (node.op !== 'Equal') continue;
    const [a = '', b = ''] = node.inputs;
    const [pixels, other] = shown.has(a) ? [a, b] : [b, a];
    const dims = shown.get(pixels);
    const zero = graph.constants.get(other);
    if (dims === undefined || zero === undefined || !isZero(zero)) continue;
    const ones = graph.fresh('real-views');
    graph.setConstant(ones, constantOf(zero.dtype, dims, new Array<number>(batch * views).fill(1)));
    node.inputs = [ones, other];
  }
}

/** Picking all rows in order is picking nothing: what is left of the choice among views in a bound graph, in place. */
export function dropFullChoice(graph: Graph): void {
  for (const node of graph.nodes) {
    if (node.op !== 'GatherND' || node.domain !== '') continue;
    const [data, chosen] = node.inputs as [string, string];
    const indices = graph.constants.get(chosen);
    const count = graph.dims(data)[0];
    if (indices === undefined || isReference(indices) || indices.dims.join() !== `${count},1`) continue;
    if (constantValues(indices).some((index, i) => index !== i)) continue;
    node.op = 'Identity';
    node.inputs = [data];
    node.attributes = {};
  }
}

function isZero(constant: Constant): boolean {
  return !isReference(constant) && constantValues(constant).every((value) => value === 0);
}
