import { producers, constantOf } from '../onnx/index.ts';
import type { Graph } from '../onnx/index.ts';

/** Products of each row with the output embeddings. */
const PROJECTIONS: ReadonlySet<string> = new Set(['FusedMatMul', 'MatMul', 'MatMulBnb4', 'MatMulNBits']);

/** What may follow: casts, and a softcap's operators. */
const BY_ELEMENT: ReadonlySet<string> = new Set(['Cast', 'Div', 'Identity', 'Mul', 'Tanh']);

/**
 * Has a decoder compute logits at the last position only, in place: the next token is all that generation asks for, and for a prompt with
 * a picture in tiles and a vocabulary of 150,000 the others would take gigabytes and more time than everything else. The graph need not be
 * bound. Where its end is not of the usual form nothing changes.
 *
 * @returns whether it could be done
 */
export function lastLogitsOnly(graph: Graph, output = 'logits'): boolean {
  const makers = producers(graph);
  const isFixed = (value: string): boolean => {
    if (graph.constants.has(value)) return true;
    const inputs = makers.get(value)?.inputs ?? [];
    return inputs.length > 0 && inputs.every((input) => input === '' || isFixed(input));
  };
  let node = makers.get(output);
  while (node !== undefined && BY_ELEMENT.has(node.op)) {
    const [value, ...others] = node.inputs.filter((input) => !isFixed(input));
    node = value === undefined || others.length > 0 ? undefined : makers.get(value);
  }
  if (node === undefined || !PROJECTIONS.has(node.op)) return false;
  const [hidden, ...weight] = node.inputs as [string, ...string[]];
  if (!weight.every((input) => input === '' || isFixed(input))) return false;
  const vector = (value: number): string => {
    const name = graph.fresh('last');
    graph.setConstant(name, constantOf('int64', [1], [value]));
    return name;
  };
  const last = graph.fresh('last');
  graph.nodes.splice(graph.nodes.indexOf(node), 0, {
    ...{ op: 'Slice', domain: '', name: last, attributes: {} },
    inputs: [hidden, vector(-1), vector(2 ** 31 - 1), vector(1)],
    outputs: [last],
  });
  node.inputs = [last, ...weight];
  return true;
}
