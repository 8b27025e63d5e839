import { Builder, lower, sortNodes } from '../onnx/index.ts';
import type { Graph } from '../onnx/index.ts';

/** Low enough for a softmax to give nothing, in the element type of the logits. */
const HIDDEN: Readonly<Record<string, number>> = { float16: -65504, float32: -3.4028234663852886e38 };

/**
 * Hides what comes later in a bound decoder: tokens of the prompt see the whole prompt, those after it what stands before them.
 * Published conversions of such models have no mask at all. That is right for a prompt, and for one token after another with a
 * cache; an answer that is scored in one run would see itself.
 *
 * The mask is added before every softmax from each token to each; where a graph has a causal mask of its own, that stays.
 * @param length of the sequence
 * @param prompt number of its tokens that are the prompt
 */
export function hideLaterTokens(graph: Graph, length: number, prompt: number): void {
  lower(graph, ({ op }) => op.endsWith('Attention'));
  const b = new Builder(graph, 'prompt-mask');
  const masks = new Map<string, string>();
  for (const node of [...graph.nodes]) {
    if (node.op !== 'Softmax' || node.domain !== '') continue;
    const { dtype, dims } = graph.type(node.inputs[0]!);
    if (dims.at(-1) !== length || dims.at(-2) !== length) continue;
    let mask = masks.get(dtype);
    if (mask === undefined) {
      const hidden = HIDDEN[dtype] ?? HIDDEN.float32!;
      const values = Float32Array.from({ length: length * length }, (_, i) => {
        const [row, column] = [Math.floor(i / length), i % length];
        return column < prompt || column <= row ? 0 : hidden;
      });
      mask = b.constant(dtype, [length, length], values, 'mask');
      masks.set(dtype, mask);
    }
    node.inputs[0] = b.add(node.inputs[0]!, mask);
  }
  sortNodes(graph);
}
