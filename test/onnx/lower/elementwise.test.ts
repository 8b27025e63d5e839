import fc from 'fast-check';
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
});
