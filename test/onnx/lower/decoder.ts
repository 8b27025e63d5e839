import type { DType } from '../../../kernel/onnx/index.ts';
import { Graph, constantOf, float, int } from '../../../kernel/onnx/index.ts';
import { random } from '../../autodiff/check.ts';

/** Sizes of the decoder below. */
export const DECODER = { width: 32, heads: 4, keyHeads: 2, head: 16, hidden: 256, vocabulary: 24, layers: 2 } as const;

const MICROSOFT = { domain: 'com.microsoft' };

/**
 * A decoder as the onnxruntime-genai builder writes it: GroupQueryAttention with the rotation inside, SkipSimplifiedLayerNormalization
 * whose residual sum is read on, MatMulNBits in blocks of 16; with the inputs and outputs of the Hugging Face layout. Its dimensions
 * are free, and it is to be written to a file: none of it is bound.
 *
 * @param halves weights, caches and the key-value cache in float16, as an fp16 export has them
 */
export function quantisedDecoder({ halves = false, accuracy = 0 } = {}): Graph {
  const { width, heads, keyHeads, head, hidden, vocabulary, layers } = DECODER;
  const dtype: DType = halves ? 'float16' : 'float32';
  const next = random(11);
  const graph = new Graph();
  graph.opsets.set('', 18);
  graph.opsets.set('com.microsoft', 1);
  const constant = (name: string, type: DType, dims: readonly number[], values: readonly number[]): string => {
    graph.setConstant(name, constantOf(type, dims, values));
    return name;
  };
  const drawn = (count: number, low: number, high: number) =>
    Array.from({ length: count }, () => low + next() * (high - low));
  const node = (
    op: string,
    inputs: string[],
    outputs: string[],
    attributes: Graph['nodes'][number]['attributes'] = {},
    domain = '',
  ) => {
    graph.nodes.push({ op, domain, name: outputs[0]!, inputs, outputs, attributes });
    return outputs[0]!;
  };
  const norm = (name: string) => constant(name, dtype, [width], drawn(width, 0.5, 1.5));
  const product = (name: string, x: string, k: number, n: number): string => {
    const [block, blocks] = [16, k / 16];
    const codes = constant(`${name}.q4`, 'uint8', [n, blocks, block / 2], drawn((n * k) / 2, 0, 255).map(Math.floor));
    const scales = constant(`${name}.scales`, dtype, [n, blocks], drawn(n * blocks, 0.01, 0.06));
    const attributes = { K: int(k), N: int(n), bits: int(4), block_size: int(block), accuracy_level: int(accuracy) };
    return node('MatMulNBits', [x, codes, scales], [name], attributes, MICROSOFT.domain);
  };
  const table = (name: string, wave: (angle: number) => number) =>
    constant(
      name,
      dtype,
      [64, head / 2],
      Array.from({ length: 64 * (head / 2) }, (_, i) => wave(Math.floor(i / 8) / 10 ** ((i % 8) / 4))),
    );

  graph.inputs = [
    { name: 'inputs_embeds', dtype, dims: ['batch', 'sequence', width] },
    { name: 'attention_mask', dtype: 'int64', dims: ['batch', 'total'] },
  ];
  const [cos, sin] = [table('cos', Math.cos), table('sin', Math.sin)];
  // As the builder computes them: the last valid position of each row, and the length of the mask.
  const sums = node('ReduceSum', ['attention_mask', constant('axis', 'int64', [1], [1])], ['sums'], {
    keepdims: int(0),
  });
  const last = node('Sub', [sums, constant('one', 'int64', [1], [1])], ['last']);
  const lengths = node('Cast', [last], ['seqlens_k'], { to: int(6) });
  const shape = node('Shape', ['attention_mask'], ['mask_shape']);
  const long = node('Gather', [shape, constant('second', 'int64', [], [1])], ['total64'], { axis: int(0) });
  const total = node('Cast', [long], ['total_sequence_length'], { to: int(6) });

  const epsilon = { epsilon: float(1e-5) };
  let residual = 'inputs_embeds';
  let x = node('SimplifiedLayerNormalization', [residual, norm('norm0')], ['normed0'], { ...epsilon, axis: int(-1) });
  const skip = (branch: string, name: string): void => {
    node(
      'SkipSimplifiedLayerNormalization',
      [residual, branch, norm(`${name}.weight`)],
      [name, '', '', `${name}.sum`],
      epsilon,
      MICROSOFT.domain,
    );
    [x, residual] = [name, `${name}.sum`];
  };
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `layers.${String(layer)}.${name}`;
    const qkv = product(at('qkv'), x, width, (heads + 2 * keyHeads) * head);
    const [pastKey, pastValue] = ['key', 'value'].map((part) => {
      const name = `past_key_values.${String(layer)}.${part}`;
      graph.inputs.push({ name, dtype, dims: ['batch', keyHeads, 'past', head] });
      return name;
    });
    const present = ['key', 'value'].map((part) => `present.${String(layer)}.${part}`);
    const attended = node(
      'GroupQueryAttention',
      [qkv, '', '', pastKey!, pastValue!, lengths, total, cos, sin],
      [at('attention'), ...present],
      { num_heads: int(heads), kv_num_heads: int(keyHeads), do_rotary: int(1), local_window_size: int(-1) },
      MICROSOFT.domain,
    );
    graph.outputs.push(...present);
    skip(product(at('o'), attended, heads * head, width), at('norm1'));
    const gate = product(at('gate'), x, width, hidden);
    const active = node('QuickGelu', [gate], [at('active')], { alpha: float(1) }, MICROSOFT.domain);
    const inner = node('Mul', [active, product(at('up'), x, width, hidden)], [at('inner')]);
    skip(product(at('down'), inner, hidden, width), at('norm2'));
  }
  const logits = product('head', x, width, vocabulary);
  graph.outputs.unshift(
    halves ? node('Cast', [logits], ['logits'], { to: int(1) }) : node('Identity', [logits], ['logits']),
  );
  return graph;
}
