import type { Graph, Node } from './graph.ts';
import { consumers, producers, sortNodes } from './graph.ts';
import { isDecodable, sizeOf } from './dtype.ts';
import { isReference } from './graph.ts';
import { constantValues } from './read.ts';
import { prune } from './prune.ts';

/** The first operator set with Gelu. */
const GELU_OPSET = 20;

/**
 * Replaces, in place, what exporters write out with Erf by the one Gelu operator: the runtime then computes it in one pass even
 * where a gradient reads its input, and its gradient has a shorter form.
 *
 *     x · (1 + erf(x/√2)) · ½   in any order of the three factors
 */
export function recogniseGelu(graph: Graph): void {
  const maker = producers(graph);
  const readers = consumers(graph);
  const single = (value: string): Node | undefined => {
    const list = readers.get(value) ?? [];
    return list.length === 1 && !graph.outputs.includes(value) ? list[0] : undefined;
  };
  /** The other input of a two-input node whose one input is the number `wanted`. */
  const beside = (node: Node | undefined, op: string, wanted: number): string | undefined => {
    if (node?.op !== op || node.domain !== '' || node.inputs.length !== 2) return undefined;
    const at = op === 'Div' ? [1] : [0, 1];
    const number = at.find((i) => Math.abs((scalarValue(graph, node.inputs[i]!) ?? NaN) - wanted) < 1e-4);
    return number === undefined ? undefined : node.inputs[1 - number];
  };
  const other = (node: Node | undefined, input: string): string | undefined =>
    node?.op === 'Mul' && node.domain === '' ? node.inputs.find((name) => name !== input) : undefined;

  for (const erf of graph.nodes) {
    if (erf.op !== 'Erf' || erf.domain !== '') continue;
    const scaled = maker.get(erf.inputs[0]!);
    const x = beside(scaled, 'Div', Math.SQRT2) ?? beside(scaled, 'Mul', Math.SQRT1_2);
    const plusOne = single(erf.outputs[0]!);
    if (x === undefined || beside(plusOne, 'Add', 1) !== erf.outputs[0]) continue;
    const sum = plusOne!.outputs[0]!;
    const first = single(sum);
    const factor = other(first, sum);
    if (first === undefined || factor === undefined) continue;
    let last: Node | undefined;
    if (factor === x) {
      const second = single(first.outputs[0]!);
      if (beside(second, 'Mul', 0.5) === first.outputs[0]) last = second;
    } else if (scalarValue(graph, factor) === 0.5) {
      const second = single(first.outputs[0]!);
      if (other(second, first.outputs[0]!) === x) last = second;
    } else if (beside(maker.get(factor), 'Mul', 0.5) === x) last = first;
    if (last === undefined) continue;
    last.op = 'Gelu';
    last.inputs = [x];
    last.attributes = {};
    graph.opsets.set('', Math.max(GELU_OPSET, graph.opsets.get('') ?? GELU_OPSET));
  }
  sortNodes(graph);
  prune(graph);
}

/** The value of a constant of one element. */
function scalarValue(graph: Graph, name: string): number | undefined {
  const constant = graph.constants.get(name);
  if (constant === undefined || isReference(constant) || sizeOf(constant.dims) !== 1 || !isDecodable(constant.dtype)) {
    return undefined;
  }
  return constantValues(constant)[0];
}
