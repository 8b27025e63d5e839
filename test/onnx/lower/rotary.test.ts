import fc from 'fast-check';
import { int } from '../../../kernel/onnx/index.ts';
import { checkLowering } from './check.ts';
import { cacheOf } from './rotary-cache.ts';

const flag = fc.boolean();
const seed = fc.integer({ min: 1, max: 2 ** 31 });
const RUNS = { seed: 3, numRuns: 10 };

describe('lowering: rotary embedding', function () {
  this.timeout(60_000);

  it('com.microsoft RotaryEmbedding: layouts, partial rotation, positions and one offset', () =>
    fc.assert(
      fc.asyncProperty(flag, flag, flag, flag, seed, async (flat, interleaved, partial, offset, drawn) => {
        const [batch, heads, length, size] = [2, 2, 3, 8];
        const turning = partial ? 4 : size;
        await checkLowering({
          op: 'RotaryEmbedding',
          inputs: [
            { dims: flat ? [batch, length, heads * size] : [batch, heads, length, size] },
            offset
              ? { dims: [1], values: [2], dtype: 'int64' }
              : { dims: [batch, length], values: [0, 1, 2, 5, 3, 1], dtype: 'int64' },
            cacheOf(8, turning / 2, Math.cos),
            cacheOf(8, turning / 2, Math.sin),
          ],
          attributes: {
            interleaved: int(interleaved ? 1 : 0),
            ...(partial ? { rotary_embedding_dim: int(turning), num_heads: int(heads) } : {}),
          },
          seed: drawn,
        });
      }),
      RUNS,
    ));

  it("ONNX's RotaryEmbedding: layouts, partial rotation, caches by position or by token", () =>
    fc.assert(
      fc.asyncProperty(flag, flag, flag, flag, seed, async (flat, interleaved, partial, byToken, drawn) => {
        const [batch, heads, length, size] = [2, 2, 3, 8];
        const turning = partial ? 4 : size;
        const cache = (f: (x: number) => number) =>
          byToken
            ? { ...cacheOf(batch * length, turning / 2, f), dims: [batch, length, turning / 2] }
            : cacheOf(8, turning / 2, f);
        await checkLowering({
          op: 'RotaryEmbedding',
          domain: '',
          opset: 23,
          inputs: [
            { dims: flat ? [batch, length, heads * size] : [batch, heads, length, size] },
            cache(Math.cos),
            cache(Math.sin),
            byToken ? null : { dims: [batch, length], values: [0, 1, 2, 5, 3, 1], dtype: 'int64' as const },
          ],
          attributes: {
            interleaved: int(interleaved ? 1 : 0),
            ...(partial ? { rotary_embedding_dim: int(turning) } : {}),
            ...(flat ? { num_heads: int(heads) } : {}),
          },
          seed: drawn,
        });
      }),
      RUNS,
    ));
});
