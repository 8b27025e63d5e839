import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LensError } from '../../../kernel/errors.ts';
import { Builder, Graph, addInput, float, int, lower } from '../../../kernel/onnx/index.ts';
import { checkLowering } from './check.ts';
import { cacheOf } from './rotary-cache.ts';

const flag = fc.boolean();
const seed = fc.integer({ min: 1, max: 2 ** 31 });
const ints32 = (dims: readonly number[], values: readonly number[]) => ({ dims, values, dtype: 'int32' as const });

describe('lowering: attention', function () {
  this.timeout(60_000);

  it('GroupQueryAttention, over every combination of its attributes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          packed: flag,
          rotary: flag,
          interleaved: flag,
          window: fc.constantFrom(-1, 1, 2, 4),
          softcap: fc.constantFrom(0, 1.5),
          scale: fc.constantFrom(0, 0.7),
          past: fc.constantFrom(0, 0, 3),
          bias: flag,
          smooth: fc.constantFrom(0, 1, 2),
          group: fc.constantFrom(1, 2),
          batch: fc.constantFrom(1, 2),
          length: fc.constantFrom(1, 4),
          qk: fc.constantFrom(0, 1, 2),
          positions: flag,
        }),
        seed,
        async (c, drawn) => {
          // onnxruntime rotates heads whose size is a multiple of 16.
          const [keyHeads, head] = [2, 16];
          const heads = keyHeads * c.group;
          const total = c.past + c.length;
          // onnxruntime continues several tokens for one sequence only.
          const batch = c.past > 0 && c.length > 1 ? 1 : c.batch;
          const parts = c.packed
            ? [{ dims: [batch, c.length, (heads + 2 * keyHeads) * head] }, null, null]
            : [heads, keyHeads, keyHeads].map((n) => ({ dims: [batch, c.length, n * head] }));
          const past = { dims: [batch, keyHeads, c.past, head] };
          await checkLowering({
            op: 'GroupQueryAttention',
            inputs: [
              ...parts,
              ...[past, past],
              ints32([batch], new Array<number>(batch).fill(total - 1)),
              ints32([], [total]),
              ...(c.rotary ? [cacheOf(16, head / 2, Math.cos), cacheOf(16, head / 2, Math.sin)] : [null, null]),
              c.rotary && c.positions
                ? {
                    dims: [batch, c.length],
                    values: Array.from({ length: batch * c.length }, (_, i) => c.past + (i % c.length)),
                    dtype: 'int64' as const,
                  }
                : null,
              c.bias ? { dims: [1, heads, c.length, total] } : null,
              c.smooth === 2 ? { dims: [heads] } : null,
            ],
            attributes: {
              num_heads: int(heads),
              kv_num_heads: int(keyHeads),
              do_rotary: int(c.rotary ? 1 : 0),
              rotary_interleaved: int(c.interleaved ? 1 : 0),
              local_window_size: int(c.window),
              softcap: float(c.softcap),
              scale: float(c.scale),
              smooth_softmax: int(c.smooth === 1 ? 1 : 0),
              qk_output: int(c.qk),
            },
            outputs: c.qk === 0 ? [0, 1, 2] : [0, 1, 2, 3],
            seed: drawn,
          });
        },
      ),
      { seed: 1, numRuns: 24 },
    ));

  it('GroupQueryAttention over prompts of different lengths, padded at the end: every row that counts', () =>
    checkLowering({
      op: 'GroupQueryAttention',
      inputs: [
        ...[4, 2, 2].map((heads) => ({ dims: [2, 4, heads * 16] })),
        ...[0, 1].map(() => ({ dims: [2, 2, 0, 16] })),
        ints32([2], [3, 2]),
        ints32([], [4]),
        cacheOf(16, 8, Math.cos),
        cacheOf(16, 8, Math.sin),
      ],
      attributes: { num_heads: int(4), kv_num_heads: int(2), do_rotary: int(1) },
      // The second sequence has three tokens and one of padding.
      counts: (element) => Math.floor(element / (4 * 16)) !== 7,
      forwardOnly: true,
      seed: 21,
    }));

  it('GroupQueryAttention that rotates a part of each head', () =>
    checkLowering({
      op: 'GroupQueryAttention',
      inputs: [
        ...[2, 2, 2].map((heads) => ({ dims: [1, 4, heads * 32] })),
        ...[0, 1].map(() => ({ dims: [1, 2, 0, 32] })),
        ints32([1], [3]),
        ints32([], [4]),
        cacheOf(16, 8, Math.cos),
        cacheOf(16, 8, Math.sin),
      ],
      attributes: { num_heads: int(2), kv_num_heads: int(2), do_rotary: int(1) },
      outputs: [0, 1, 2],
      seed: 22,
    }));

  it('a cache that is not filled to its end is refused, with what to do', () => {
    const graph = new Graph();
    graph.opsets.set('', 18);
    const b = new Builder(graph);
    addInput(graph, 'qkv', 'float32', [1, 1, 64]);
    for (const name of ['key', 'value']) addInput(graph, name, 'float32', [1, 1, 8, 16]);
    const inputs = ['qkv', '', '', 'key', 'value', b.constant('int32', [1], [4]), b.constant('int32', [], [5])];
    const attributes = { num_heads: int(2), kv_num_heads: int(1) };
    graph.outputs = [b.op('GroupQueryAttention', inputs, attributes, { domain: 'com.microsoft' })];
    assert.throws(
      () => lower(graph),
      (error) =>
        error instanceof LensError && /cache of 8 places that is not filled .*Bind past_key/.test(error.message),
    );
  });

  // Variants of newer onnxruntimes, beside what the present one computes step by step.

  it('GroupQueryAttention that normalises queries and keys before it rotates them', () => {
    const [heads, keyHeads, head, length] = [4, 2, 16, 4];
    const attributes = { num_heads: int(heads), kv_num_heads: int(keyHeads), do_rotary: int(1) };
    return checkLowering({
      op: 'GroupQueryAttention',
      inputs: [
        ...[heads, keyHeads, keyHeads].map((count) => ({ dims: [1, length, count * head] })),
        ...[0, 1].map(() => ({ dims: [1, keyHeads, 0, head] })),
        ints32([1], [length - 1]),
        ints32([], [length]),
        cacheOf(16, head / 2, Math.cos),
        cacheOf(16, head / 2, Math.sin),
        ...[9, 10, 11, 12, 13].map(() => null),
        { dims: [head] },
        { dims: [head] },
      ],
      attributes: { ...attributes, qk_norm_epsilon: float(1e-3) },
      seed: 23,
      reference: (b, inputs) => {
        const normed = (x: string, gamma: string) => {
          const dims = b.dims(x);
          const split = b.reshape(x, [dims[0]!, dims[1]!, dims[2]! / head, head]);
          const norm = { axis: int(-1), epsilon: float(1e-3) };
          return b.reshape(b.op('SimplifiedLayerNormalization', [split, gamma], norm), dims);
        };
        const [q, k, ...rest] = inputs as [string, string, ...string[]];
        const plain = [normed(q, inputs[14]!), normed(k, inputs[15]!), ...rest.slice(0, 7)];
        return [b.op('GroupQueryAttention', plain, attributes, { domain: 'com.microsoft' })];
      },
    });
  });

  it('GroupQueryAttention that looks both ways', () =>
    checkLowering({
      op: 'GroupQueryAttention',
      inputs: [
        ...[2, 2, 2].map((heads) => ({ dims: [2, 4, heads * 8] })),
        ...[0, 1].map(() => ({ dims: [2, 2, 0, 8] })),
        ints32([2], [3, 3]),
        ints32([], [4]),
      ],
      attributes: { num_heads: int(2), kv_num_heads: int(2), causal: int(0) },
      seed: 24,
      reference: (b, inputs) => [
        b.op('MultiHeadAttention', inputs.slice(0, 3), { num_heads: int(2) }, { domain: 'com.microsoft' }),
      ],
    }));
});
