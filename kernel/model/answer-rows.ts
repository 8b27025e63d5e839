import { addInput } from '../onnx/compose.ts';
import { Builder } from '../onnx/builder.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { int, producers } from '../onnx/graph.ts';
import { prune } from '../onnx/prune.ts';

/** Operators that treat every row of their one varying input alike, as an output projection and what follows it do. */
const BY_ROW = new Set(['Add', 'Cast', 'Div', 'Identity', 'MatMul', 'MatMulNBits', 'Mul', 'Neg', 'Sub', 'Tanh']);

/**
 * Rewrites a bound decoder, in place, so that it computes its logits at some positions only: for a vocabulary of 150,000 the
 * output projection of a whole prompt would cost more than all else. The positions become an input [count], int64.
 * @param logits the output of shape [batch, sequence, vocabulary]; [batch, count, vocabulary] afterwards
 */
export function keepAnswerRows(graph: Graph, logits: string, positions: string, count: number): void {
  const maker = producers(graph);
  const chain: Node[] = [];
  let value = logits;
  for (;;) {
    const node = maker.get(value);
    const varying =
      node === undefined ? [] : node.inputs.filter((input) => input !== '' && !graph.constants.has(input));
    if (node === undefined || !BY_ROW.has(node.op) || varying.length !== 1 || varying[0] !== node.inputs[0]) break;
    // A constant with rows of its own, such as an additive mask, is for whole sequences.
    const length = graph.dims(logits)[1]!;
    const ownRows = node.inputs
      .slice(1)
      .some((input) => graph.constants.has(input) && graph.dims(input).at(-2) === length);
    if (ownRows && node.op !== 'MatMul' && node.op !== 'MatMulNBits') break;
    chain.unshift(node);
    value = node.inputs[0]!;
  }
  const b = new Builder(graph, 'answer');
  addInput(graph, positions, 'int64', [count]);
  let kept = b.op('Gather', [value, positions], { axis: int(1) });
  for (const { op, domain, inputs, attributes } of chain)
    kept = b.op(op, [kept, ...inputs.slice(1)], attributes, { domain });
  graph.outputs = graph.outputs.map((output) => (output === logits ? kept : output));
  prune(graph);
}
