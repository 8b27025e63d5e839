import fc from 'fast-check';
import type { Builder } from '../../../kernel/onnx/index.ts';
import { float, int, ints, text } from '../../../kernel/onnx/index.ts';
import { checkLowering } from './check.ts';

const flag = fc.boolean();
const seed = fc.integer({ min: 1, max: 2 ** 31 });
const RUNS = { seed: 4, numRuns: 6 };
/** onnxruntime approximates the error function and tanh. */
const tolerance = 2e-4;

describe('lowering: activations and products', function () {
  this.timeout(60_000);

  it('BiasGelu', () =>
    checkLowering({ op: 'BiasGelu', inputs: [{ dims: [2, 3, 5] }, { dims: [5] }], seed: 1, tolerance }));

  it('FastGelu with and without a bias', async () => {
    await checkLowering({ op: 'FastGelu', inputs: [{ dims: [2, 3, 5] }, { dims: [5] }], seed: 2, tolerance });
    await checkLowering({ op: 'FastGelu', inputs: [{ dims: [7] }], seed: 3, tolerance });
  });

  for (const alpha of [1.702, 1, 0.5]) {
    it(`QuickGelu with alpha ${String(alpha)}`, () =>
      checkLowering({
        op: 'QuickGelu',
        inputs: [{ dims: [2, 6], range: [-3, 3] }],
        attributes: { alpha: float(alpha) },
        seed: 4,
        tolerance,
      }));
  }

  it('FusedMatMul: either side transposed, its stack moved, scaled', () =>
    fc.assert(
      fc.asyncProperty(flag, flag, flag, flag, seed, async (transA, transB, batchA, batchB, drawn) => {
        const [stack, m, k, n] = [2, 3, 4, 5];
        const side = (rows: number, columns: number, trans: boolean, batch: boolean) => {
          const [r, c] = trans ? [columns, rows] : [rows, columns];
          return { dims: batch ? [r, stack, c] : [stack, r, c] };
        };
        await checkLowering({
          op: 'FusedMatMul',
          inputs: [side(m, k, transA, batchA), side(k, n, transB, batchB)],
          attributes: {
            alpha: float(0.7),
            transA: int(transA ? 1 : 0),
            transB: int(transB ? 1 : 0),
            transBatchA: int(batchA ? 1 : 0),
            transBatchB: int(batchB ? 1 : 0),
          },
          kept: !batchA && !batchB,
          seed: drawn,
        });
      }),
      RUNS,
    ));

  for (const [activation, parameters] of [
    ['Relu', []],
    ['Tanh', []],
    ['Sigmoid', []],
    ['LeakyRelu', [0.2]],
    ['Clip', [-0.5, 0.7]],
    ['HardSigmoid', [0.3, 0.4]],
  ] as const) {
    it(`FusedConv with ${activation}`, () =>
      checkLowering({
        op: 'FusedConv',
        inputs: [{ dims: [1, 2, 5, 5] }, { dims: [3, 2, 3, 3] }, { dims: [3] }],
        attributes: {
          activation: text(activation),
          kernel_shape: ints([3, 3]),
          pads: ints([1, 1, 1, 1]),
          strides: ints([2, 2]),
          ...(parameters.length === 0 ? {} : { activation_params: { kind: 'floats', value: parameters } }),
        },
        seed: 6,
        // Kinks: the slopes are those of the activation's own rule.
        forwardOnly: ['Relu', 'LeakyRelu', 'Clip', 'HardSigmoid'].includes(activation),
      }));
  }

  it('FusedConv with something added before its activation', () =>
    checkLowering({
      op: 'FusedConv',
      inputs: [{ dims: [1, 2, 4, 4] }, { dims: [3, 2, 1, 1] }, { dims: [3] }, { dims: [1, 3, 4, 4] }],
      attributes: { activation: text('Tanh'), kernel_shape: ints([1, 1]) },
      seed: 7,
    }));

  it('FusedGemm', () =>
    checkLowering({
      op: 'FusedGemm',
      inputs: [{ dims: [3, 4] }, { dims: [5, 4] }, { dims: [5] }],
      attributes: { activation: text('Tanh'), transB: int(1), alpha: float(0.5), beta: float(2) },
      seed: 8,
    }));

  it('TransposeMatMul', () =>
    checkLowering({
      op: 'TransposeMatMul',
      inputs: [{ dims: [2, 4, 3] }, { dims: [2, 5, 4] }],
      attributes: { transA: int(1), transB: int(1), alpha: float(0.3) },
      seed: 9,
    }));

  // What follows has kernels on other hardware only; the reference is written with ONNX's own operators.

  it('BiasAdd', () =>
    checkLowering({
      op: 'BiasAdd',
      inputs: [{ dims: [2, 3, 4] }, { dims: [4] }, { dims: [2, 3, 4] }],
      seed: 10,
      reference: (b, inputs) => [b.op('Sum', inputs)],
    }));

  it('BiasSplitGelu', () =>
    checkLowering({
      op: 'BiasSplitGelu',
      opset: 20,
      inputs: [{ dims: [2, 3, 8] }, { dims: [8] }],
      seed: 11,
      reference: (b, [x, bias]) => {
        const sum = b.add(x!, bias!);
        return [b.mul(b.slice(sum, 2, 0, 4), b.op('Gelu', [b.slice(sum, 2, 4, 4)]))];
      },
    }));

  for (const last of [0, 1]) {
    const dims = last === 1 ? [2, 3, 3, 4] : [2, 4, 3, 3];
    const order = last === 1 ? [0, 3, 1, 2] : [0, 1, 2, 3];
    const attributes = { channels_last: int(last), groups: int(2), epsilon: float(1e-3), activation: int(1) };
    const reference = (b: Builder, x: string, gamma: string, beta: string) => {
      const first = b.transpose(x, order);
      const y = b.op('GroupNormalization', [first, gamma, beta], { num_groups: int(2), epsilon: float(1e-3) });
      return b.transpose(
        b.mul(y, b.op('Sigmoid', [y])),
        order.map((_, axis) => order.indexOf(axis)),
      );
    };

    it(`GroupNorm with channels ${last === 1 ? 'last' : 'first'} and SiLU`, () =>
      checkLowering({
        op: 'GroupNorm',
        opset: 21,
        inputs: [{ dims }, { dims: [4] }, { dims: [4] }],
        attributes,
        seed: 12,
        reference: (b, [x, gamma, beta]) => [reference(b, x!, gamma!, beta!)],
      }));

    it(`SkipGroupNorm with channels ${last === 1 ? 'last' : 'first'}, and its sum`, () =>
      checkLowering({
        op: 'SkipGroupNorm',
        opset: 21,
        inputs: [{ dims }, { dims: [4] }, { dims: [4] }, { dims }, { dims: [4] }],
        attributes,
        outputs: [0, 1],
        seed: 13,
        reference: (b, [x, gamma, beta, skip, bias]) => {
          const channels = last === 1 ? bias! : b.reshape(bias!, [4, 1, 1]);
          const sum = b.op('Sum', [x!, skip!, channels]);
          return [reference(b, sum, gamma!, beta!), sum];
        },
      }));
  }

  it('NhwcConv', () =>
    checkLowering({
      op: 'NhwcConv',
      inputs: [{ dims: [1, 5, 4, 2] }, { dims: [3, 2, 3, 3] }, { dims: [3] }],
      attributes: { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]), strides: ints([2, 1]) },
      seed: 14,
      reference: (b, [x, kernel, bias]) => {
        const attributes = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]), strides: ints([2, 1]) };
        return [b.transpose(b.op('Conv', [b.transpose(x!, [0, 3, 1, 2]), kernel!, bias!], attributes), [0, 2, 3, 1])];
      },
    }));

  it("LayerNormalization under onnxruntime's domain", () =>
    checkLowering({
      op: 'LayerNormalization',
      inputs: [{ dims: [2, 3, 4] }, { dims: [4] }, { dims: [4] }],
      attributes: { axis: int(-1), epsilon: float(1e-3) },
      seed: 15,
      reference: (b, inputs) => [b.op('LayerNormalization', inputs, { axis: int(-1), epsilon: float(1e-3) })],
    }));
});
