import fc from 'fast-check';
import { float, int, ints } from '../../../kernel/onnx/index.ts';
import type { CaseInput } from '../../autodiff/check.ts';
import { checkLowering } from './check.ts';

const flag = fc.boolean();
const seed = fc.integer({ min: 1, max: 2 ** 31 });
const RUNS = { seed: 2, numRuns: 12 };

/** Ones, with a zero at the end of every row but the first. */
const keyMask = (batch: number, keys: number): CaseInput => ({
  dims: [batch, keys],
  values: Array.from({ length: batch * keys }, (_, i) => (i >= keys && i % keys === keys - 1 ? 0 : 1)),
  dtype: 'int32',
});

describe('lowering: multi-head attention', function () {
  this.timeout(60_000);

  it('MultiHeadAttention: separate, packed, cached and masked', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          layout: fc.constantFrom('separate', 'cross'),
          bias: flag,
          mask: fc.constantFrom('none', 'lengths', 'keys', 'rows'),
          scoresBias: fc.constantFrom('none', 'all', 'one'),
          unidirectional: flag,
          past: fc.constantFrom(0, 2),
          scale: fc.constantFrom(0, 0.6),
          batch: fc.constantFrom(1, 2),
          wideValues: flag,
          weights: flag,
        }),
        seed,
        async (c, drawn) => {
          const [heads, size] = [2, 4];
          const valueSize = c.wideValues && c.layout === 'separate' && c.past === 0 ? 6 : size;
          const queries = 3;
          const past = c.layout === 'separate' ? c.past : 0;
          // Cached keys may be others than the queries' own.
          const keys = c.layout === 'cross' ? 4 : queries;
          const total = past + keys;
          const unidirectional = c.unidirectional && keys === queries;
          const hidden = heads * size;
          const own = {
            separate: [
              [queries, hidden],
              [keys, hidden],
              [keys, heads * valueSize],
            ].map((d) => ({ dims: [c.batch, ...d] })),
            cross: [
              { dims: [c.batch, queries, hidden] },
              { dims: [c.batch, heads, keys, size] },
              { dims: [c.batch, heads, keys, size] },
            ],
          }[c.layout];
          // onnxruntime adds a bias to separate projections only.
          const bias = c.bias && c.layout === 'separate';
          const masks: Record<string, CaseInput | null> = {
            none: null,
            lengths: { dims: [c.batch], values: [total, total - 1].slice(0, c.batch), dtype: 'int32' },
            keys: keyMask(c.batch, total),
            rows: {
              dims: [c.batch, queries, total],
              values: Array.from({ length: c.batch * queries * total }, (_, i) => (i % 5 === 3 ? 0 : 1)),
              dtype: 'int32',
            },
          };
          const scoresBias = {
            none: null,
            all: { dims: [c.batch, heads, queries, total] },
            one: { dims: [1, 1, queries, total] },
          };
          await checkLowering({
            op: 'MultiHeadAttention',
            inputs: [
              ...own,
              bias ? { dims: [2 * hidden + heads * valueSize] } : null,
              masks[c.mask]!,
              scoresBias[c.scoresBias],
              ...(past > 0
                ? [{ dims: [c.batch, heads, past, size] }, { dims: [c.batch, heads, past, valueSize] }]
                : [null, null]),
            ],
            attributes: {
              num_heads: int(heads),
              unidirectional: int(unidirectional ? 1 : 0),
              ...(c.scale === 0 ? {} : { scale: float(c.scale) }),
            },
            outputs: past > 0 ? (c.weights ? [0, 1, 2, 3] : [0, 1, 2]) : [0],
            seed: drawn,
          });
        },
      ),
      RUNS,
    ));

  for (const packed of ['kv', 'qkv'] as const) {
    it(`MultiHeadAttention with packed ${packed}, beside the kernel for separate ones: onnxruntime's CPU has no other`, () => {
      const [batch, length, heads, size] = [2, 3, 2, 4];
      const whole = { dims: [batch, length, heads, packed.length, size] };
      const query = { dims: [batch, length, heads * size] };
      const bias = { dims: [3 * heads * size] };
      const attributes = { num_heads: int(heads) };
      return checkLowering({
        op: 'MultiHeadAttention',
        inputs: packed === 'kv' ? [query, whole] : [whole, null, null, bias],
        attributes,
        seed: 11,
        reference: (b, [first, second, , shift]) => {
          const parts = b
            .multi(
              'Split',
              [packed === 'kv' ? second! : first!],
              { axis: int(3), num_outputs: int(packed.length) },
              { outputs: packed.length },
            )
            .map((part) => b.reshape(part, query.dims));
          const inputs = packed === 'kv' ? [first!, ...parts] : [...parts, shift!];
          return [b.op('MultiHeadAttention', inputs, attributes, { domain: 'com.microsoft' })];
        },
      });
    });
  }

  it('com.microsoft Attention: projection, masks, cache', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          mask: fc.constantFrom('none', 'lengths', 'ends', 'keys', 'rows'),
          scoresBias: flag,
          unidirectional: flag,
          past: fc.constantFrom(0, 2),
          scale: fc.constantFrom(0, 0.6),
          batch: fc.constantFrom(1, 2),
          wide: flag,
        }),
        seed,
        async (c, drawn) => {
          const [heads, size, length, width] = [2, 4, 3, 5];
          // onnxruntime crashes over lengths beside a cache.
          const mask = (c.mask === 'ends' || c.mask === 'lengths') && c.past > 0 ? 'keys' : c.mask;
          const valueSize = c.wide && c.past === 0 ? 6 : size;
          const total = c.past + length;
          const sizes = [heads * size, heads * size, heads * valueSize];
          const out = sizes.reduce((a, b) => a + b);
          const masks: Record<string, CaseInput | null> = {
            none: null,
            lengths: { dims: [c.batch], values: [total, total - 1].slice(0, c.batch), dtype: 'int32' },
            ends: {
              dims: [2 * c.batch],
              values: [...[total, total - 1].slice(0, c.batch), ...[1, 0].slice(0, c.batch)],
              dtype: 'int32',
            },
            keys: keyMask(c.batch, total),
            rows: {
              dims: [c.batch, length, total],
              values: Array.from({ length: c.batch * length * total }, (_, i) => (i % 5 === 3 ? 0 : 1)),
              dtype: 'int32',
            },
          };
          await checkLowering({
            op: 'Attention',
            inputs: [
              { dims: [c.batch, length, width] },
              { dims: [width, out] },
              // onnxruntime's CPU kernel crashes without a bias.
              { dims: [out] },
              masks[mask]!,
              c.past > 0 ? { dims: [2, c.batch, heads, c.past, size] } : null,
              c.scoresBias && c.past === 0 ? { dims: [c.batch, heads, length, total] } : null,
            ],
            attributes: {
              num_heads: int(heads),
              unidirectional: int(c.unidirectional ? 1 : 0),
              qkv_hidden_sizes: ints(sizes),
              ...(c.scale === 0 ? {} : { scale: float(c.scale) }),
            },
            outputs: valueSize === size ? [0, 1] : [0],
            seed: drawn,
          });
        },
      ),
      RUNS,
    ));

  it("ONNX's Attention: flat or by heads, shared keys, masks, softcap, every stage", () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          flat: flag,
          group: fc.constantFrom(1, 2),
          mask: fc.constantFrom('none', 'bool', 'added', 'by head'),
          causal: flag,
          softcap: fc.constantFrom(0, 1.5),
          past: fc.constantFrom(0, 2),
          scale: fc.constantFrom(0, 0.6),
          mode: fc.constantFrom(-1, 0, 1, 2, 3),
          opset: fc.constantFrom(23, 24),
        }),
        seed,
        async (c, drawn) => {
          const [batch, keyHeads, size, valueSize, queries, keys] = [2, 2, 4, 6, 3, 3];
          const heads = keyHeads * c.group;
          const total = c.past + keys;
          const tensor = (n: number, length: number, width: number) => ({
            dims: c.flat ? [batch, length, n * width] : [batch, n, length, width],
          });
          const masks: Record<string, CaseInput | null> = {
            none: null,
            bool: {
              dims: [queries, total],
              values: Array.from({ length: queries * total }, (_, i) => (i % 4 === 3 ? 0 : 1)),
              dtype: 'bool',
            },
            added: { dims: [batch, 1, queries, total] },
            'by head': { dims: [batch, heads, queries, total] },
          };
          await checkLowering({
            op: 'Attention',
            domain: '',
            opset: c.opset,
            inputs: [
              tensor(heads, queries, size),
              tensor(keyHeads, keys, size),
              tensor(keyHeads, keys, valueSize),
              masks[c.mask]!,
              ...(c.past > 0
                ? [{ dims: [batch, keyHeads, c.past, size] }, { dims: [batch, keyHeads, c.past, valueSize] }]
                : []),
            ],
            attributes: {
              is_causal: int(c.causal ? 1 : 0),
              ...(c.flat ? { q_num_heads: int(heads), kv_num_heads: int(keyHeads) } : {}),
              ...(c.softcap === 0 ? {} : { softcap: float(c.softcap) }),
              ...(c.scale === 0 ? {} : { scale: float(c.scale) }),
              ...(c.mode < 0 ? {} : { qk_matmul_output_mode: int(c.mode) }),
            },
            outputs: c.past > 0 ? (c.mode < 0 ? [0, 1, 2] : [0, 1, 2, 3]) : c.mode < 0 ? [0] : [0, 3],
            seed: drawn,
          });
        },
      ),
      RUNS,
    ));

  it("ONNX's Attention with as many valid keys as are said for each row", () =>
    checkLowering({
      op: 'Attention',
      domain: '',
      opset: 24,
      inputs: [
        { dims: [2, 2, 3, 4] },
        { dims: [2, 2, 5, 4] },
        { dims: [2, 2, 5, 4] },
        null,
        null,
        null,
        { dims: [2], values: [5, 3], dtype: 'int64' },
      ],
      seed: 31,
    }));
});
