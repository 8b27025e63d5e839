import assert from 'node:assert/strict';
import fc from 'fast-check';
import { differentiate } from '../../../kernel/autodiff/index.ts';
import { LensError } from '../../../kernel/errors.ts';
import type { Attributes, DType } from '../../../kernel/onnx/index.ts';
import { Builder, Graph, addInput, int } from '../../../kernel/onnx/index.ts';
import { checkGraph, random } from '../../autodiff/check.ts';
import type { CaseInput } from '../../autodiff/check.ts';
import { checkLowering } from './check.ts';

const flag = fc.boolean();
const seed = fc.integer({ min: 1, max: 2 ** 31 });
const RUNS = { seed: 5, numRuns: 10 };

const bytes = (dims: readonly number[], next: () => number): CaseInput => ({
  dims,
  values: Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.floor(next() * 256)),
  dtype: 'uint8',
});
const scales = (dims: readonly number[]): CaseInput => ({ dims, range: [0.01, 0.05], fixed: 'constant' });

/** A product of x, which is differentiated, and a packed weight, in single precision: there is no other kernel. */
function product(
  op: string,
  x: readonly number[],
  weights: readonly (CaseInput | null)[],
  attributes: Attributes,
  drawn: number,
) {
  const next = random(drawn);
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  const names = weights.map((input) => {
    if (input === null) return '';
    const count = input.dims.reduce((a, c) => a * c, 1);
    const [low, high] = input.range ?? [-1, 1];
    const values = input.values ?? Array.from({ length: count }, () => low + next() * (high - low));
    const dtype: DType = input.dtype ?? 'float32';
    return b.constant(dtype, input.dims, values, 'weight');
  });
  const name = addInput(graph, 'x', 'float32', x);
  graph.outputs = [b.op(op, [name, ...names], attributes, { domain: 'com.microsoft' })];
  return graph;
}

describe('lowering: quantised weights', function () {
  this.timeout(60_000);

  it('MatMulNBits: 4 and 8 bits, zero points packed, typed and absent, a bias, a last block that is not full', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          bits: fc.constantFrom(4, 8),
          block: fc.constantFrom(16, 32),
          k: fc.constantFrom(32, 48, 96),
          zero: fc.constantFrom('none', 'packed', 'typed'),
          bias: flag,
          flat: flag,
        }),
        seed,
        async ({ bits, block, k, zero, bias, flat }, drawn) => {
          const next = random(drawn);
          const n = 5;
          const blocks = Math.ceil(k / block);
          const zeros = {
            none: null,
            packed: bytes([n, Math.ceil((blocks * bits) / 8)], next),
            typed: { dims: [n, blocks], range: [3, 12] as const, fixed: 'constant' as const },
          };
          const weights = [
            bytes([n, blocks, (block * bits) / 8], next),
            scales(flat ? [n * blocks] : [n, blocks]),
            zeros[zero],
            null,
            bias ? { dims: [n], fixed: 'constant' as const } : null,
          ];
          const attributes = { K: int(k), N: int(n), bits: int(bits), block_size: int(block), accuracy_level: int(0) };
          await checkGraph(product('MatMulNBits', [2, 3, k], weights, attributes, drawn), drawn);
        },
      ),
      RUNS,
    ));

  it('MatMulNBits whose columns choose their block', () => {
    const [n, k, block] = [3, 32, 16];
    const next = random(8);
    const weights = [
      bytes([n, 2, 8], next),
      scales([n, 2]),
      null,
      { dims: [k], values: Array.from({ length: k }, (_, i) => (i * 7) % 2), dtype: 'int32' as const },
    ];
    const attributes = { K: int(k), N: int(n), bits: int(4), block_size: int(block) };
    return checkGraph(product('MatMulNBits', [2, k], weights, attributes, 8), 8);
  });

  for (const [type, name] of ['FP4', 'NF4'].entries()) {
    for (const n of [4, 3]) {
      it(`MatMulBnb4 with ${name}, ${String(n)} columns`, () => {
        const [k, block] = [32, 16];
        const next = random(9);
        const weights = [bytes([(n * k) / 2], next), scales([(n * k) / block])];
        const attributes = { K: int(k), N: int(n), block_size: int(block), quant_type: int(type) };
        return checkGraph(product('MatMulBnb4', [2, 3, k], weights, attributes, 9), 9);
      });
    }
  }

  it('GatherBlockQuantized: nibbles and bytes, with and without zero points', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom('uint4', 4, 8), flag, seed, async (kind, zero, drawn) => {
        const next = random(drawn);
        const [rows, width, block] = [6, 32, 16];
        const blocks = width / block;
        const bits = kind === 8 ? 8 : 4;
        const packed = (columns: number): CaseInput =>
          kind === 'uint4'
            ? { ...bytes([rows, columns / 2], next), dims: [rows, columns], dtype: 'uint4' }
            : bytes([rows, (columns * bits) / 8], next);
        await checkLowering({
          op: 'GatherBlockQuantized',
          inputs: [
            packed(width),
            { dims: [2, 2], values: [5, 0, 3, 3], dtype: 'int64' },
            scales([rows, blocks]),
            zero ? packed(blocks) : null,
          ],
          attributes: {
            block_size: int(block),
            gather_axis: int(0),
            quantize_axis: int(1),
            ...(kind === 'uint4' ? {} : { bits: int(bits) }),
          },
          forwardOnly: true,
          seed: drawn,
        });
      }),
      RUNS,
    ));

  it('weights of 2 bits say what to take instead', () => {
    const attributes = { K: int(32), N: int(2), bits: int(2), block_size: int(32) };
    const graph = product('MatMulNBits', [2, 32], [bytes([2, 1, 8], random(1)), scales([2, 1])], attributes, 1);
    assert.throws(
      () => differentiate(graph, { of: [{ value: graph.outputs[0]!, cotangent: graph.outputs[0]! }], wrt: ['x'] }),
      (error: Error) =>
        error instanceof LensError && /2 bits cannot be differentiated .*4 or 8 bits/.test(error.message),
    );
  });

  for (const [type, bits] of [
    ['int4', 4],
    ['uint4', 4],
    ['int8', 8],
    ['uint8', 8],
    ['int32', 32],
  ] as const) {
    for (const scaled of ['per tensor', 'per column', 'by blocks'] as const) {
      // onnxruntime scales 32-bit integers as a whole or by column only.
      if (type === 'int32' && scaled === 'by blocks') continue;
      it(`a weight behind DequantizeLinear: ${type}, ${scaled}`, () => {
        const [k, n, block] = [32, 6, 16];
        const next = random(3);
        const graph = new Graph();
        graph.opsets.set('', 21);
        const b = new Builder(graph);
        addInput(graph, 'x', 'float32', [2, 3, k]);
        const data = Uint8Array.from({ length: (k * n * bits) / 8 }, (_, i) =>
          // Of 32-bit numbers the three upper bytes are zero.
          bits === 32 && i % 4 > 0 ? 0 : Math.floor(next() * 256),
        );
        graph.setConstant('codes', { dtype: type, dims: [k, n], data });
        const dims = { 'per tensor': [], 'per column': [n], 'by blocks': [k / block, n] }[scaled];
        const scale = b.constant(
          'float32',
          dims,
          Array.from({ length: dims.reduce((p, d) => p * d, 1) }, () => 0.001 + next() / 100),
          'scale',
        );
        const zeros = Uint8Array.from({ length: Math.ceil((dims.reduce((p, d) => p * d, 1) * bits) / 8) }, () =>
          bits === 4 ? 0x23 : 5,
        );
        if (type !== 'int32') graph.setConstant('zeros', { dtype: type, dims, data: zeros });
        const weight = b.op('DequantizeLinear', ['codes', scale, ...(type === 'int32' ? [] : ['zeros'])], {
          axis: int(scaled === 'by blocks' ? 0 : 1),
          ...(scaled === 'by blocks' ? { block_size: int(block) } : {}),
        });
        assert.deepEqual(graph.type(weight), { dtype: 'float32', dims: [k, n] });
        graph.outputs = [b.op('MatMul', ['x', weight])];
        return checkGraph(graph, 3);
      });
    }
  }

  it("DequantizeLinear under onnxruntime's domain", () =>
    checkLowering({
      op: 'DequantizeLinear',
      inputs: [
        { dims: [3, 2], values: [-7, 0, 90, 5, -2, 9], dtype: 'int16' },
        { dims: [2], range: [0.1, 1] },
        { dims: [2], values: [3, -1], dtype: 'int16' },
      ],
      attributes: { axis: int(1) },
      seed: 4,
    }));
});
