import path from 'node:path';
import { LensError } from '../errors.ts';
import { describeNode } from '../onnx/attributes.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import type { DifferentiateOptions } from './path.ts';
import { gradientRule } from './path.ts';

/** Operators that round real numbers to integers of 8 bits, or compute with such: q8 exports are made of them. */
export const ROUNDING: ReadonlySet<string> = new Set([
  ...['ConvInteger', 'DynamicQuantizeLinear', 'DynamicQuantizeLSTM', 'DynamicQuantizeMatMul', 'MatMulInteger'],
  ...['MatMulIntegerToFloat', 'QAttention', 'QEmbedLayerNormalization', 'QGemm', 'QLinearAdd', 'QLinearConv'],
  ...['QLinearMatMul', 'QLinearMul', 'QLinearSigmoid', 'QLinearSoftmax', 'QuantizeLinear'],
]);

/**
 * A model whose activations are rounded to integers is a staircase: its slope is 0 nearly everywhere and says nothing.
 *
 * @throws LensError where such an operator lies between what is differentiated and the score, naming the files to take instead
 */
export function checkRounding(graph: Graph, { of, wrt }: DifferentiateOptions): void {
  if (!graph.nodes.some((node) => ROUNDING.has(node.op))) return;
  const reaches = (node: Node) => ROUNDING.has(node.op) || gradientRule(node) !== 'zero';
  const below = new Set(wrt);
  for (const node of graph.nodes) {
    if (!reaches(node) || !node.inputs.some((input) => below.has(input))) continue;
    for (const output of node.outputs) if (output !== '') below.add(output);
  }
  const above = new Set(of.map(({ value }) => value));
  for (const node of graph.nodes.toReversed()) {
    if (!reaches(node) || !node.outputs.some((output) => above.has(output))) continue;
    for (const input of node.inputs) above.add(input);
    if (ROUNDING.has(node.op) && node.inputs.some((input) => below.has(input))) throw roundingError(node);
  }
}

/** Suffixes of the exports that round, as the Hugging Face Hub names them. */
const SUFFIX = /_(?:quantized|q8|int8|uint8)$/;

function roundingError(node: Node): LensError {
  const stem = node.file === undefined ? undefined : path.basename(node.file, '.onnx').replace(SUFFIX, '');
  const others =
    stem === undefined ? '' : `: ${['', '_fp16', '_q4'].map((dtype) => `${stem}${dtype}.onnx`).join(', ')}`;
  return new LensError(
    `a model that rounds its activations to 8-bit integers has no useful gradient: it is constant between the steps, so it can ` +
      `answer but not be explained (${describeNode(node)})`,
    `Take the fp32, fp16 or q4 file of the same model${others}`,
  );
}
