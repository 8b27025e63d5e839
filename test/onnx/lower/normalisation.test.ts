import fc from 'fast-check';
import { float } from '../../../kernel/onnx/index.ts';
import { checkLowering } from './check.ts';

const size = fc.integer({ min: 1, max: 5 });
const flag = fc.boolean();
const seed = fc.integer({ min: 1, max: 2 ** 31 });

describe('lowering: normalisation', function () {
  this.timeout(60_000);

  for (const simplified of [true, false]) {
    const op = simplified ? 'SkipSimplifiedLayerNormalization' : 'SkipLayerNormalization';
    it(`${op}, all outputs, with and without bias`, () =>
      fc.assert(
        fc.asyncProperty(size, size, size, flag, flag, seed, async (batch, length, width, bias, shift, drawn) => {
          const x = { dims: [batch, length, width + 1] };
          const vector = { dims: [width + 1] };
          const own = simplified ? [] : [shift ? vector : null];
          await checkLowering({
            op,
            inputs: [x, x, vector, ...own, bias ? vector : null],
            attributes: { epsilon: float(1e-3) },
            // onnxruntime's CPU kernel has no statistics: it leaves them unwritten.
            outputs: simplified ? [0, 2, 3] : [0, 1, 2, 3],
            unfilled: [1, 2],
            seed: drawn,
          });
        }),
        { seed: 7, numRuns: 5 },
      ));
  }

  it('a skip with one row for all batches', () =>
    checkLowering({
      op: 'SkipLayerNormalization',
      inputs: [{ dims: [2, 3, 4] }, { dims: [1, 3, 4] }, { dims: [4] }, { dims: [4] }],
      attributes: { epsilon: float(1e-3) },
      outputs: [0, 3],
      seed: 3,
    }));

  it('EmbedLayerNormalization', () =>
    checkLowering({
      op: 'EmbedLayerNormalization',
      inputs: [
        { dims: [2, 3], values: [4, 0, 1, 2, 3, 4], dtype: 'int32' },
        { dims: [2, 3], values: [0, 1, 1, 0, 0, 1], dtype: 'int32' },
        ...[[5, 4], [6, 4], [2, 4], [4], [4]].map((dims) => ({ dims })),
        { dims: [2, 3], values: [1, 1, 0, 1, 1, 1], dtype: 'int32' as const },
      ],
      attributes: { epsilon: float(1e-3) },
      outputs: [0, 1, 2],
      seed: 5,
    }));
});
