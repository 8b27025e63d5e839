import assert from 'node:assert/strict';
import { contrasted } from '../../kernel/attribution/contrast.ts';

const line = (...values: number[]) => ({ rows: 1, cols: values.length, data: Float32Array.from(values) });

describe('contrast of a map', () => {
  it('is s²/(s² + k²)·(1 + k²), worked out by hand', () => {
    // k = ½: ¼ → (1/16)/(1/16 + 1/4)·5/4 = ¼, ½ → ½·5/4 = 0.625.
    assert.deepEqual([...contrasted(line(0, 1, 2, 4), 0.5).data], [0, 0.25, 0.625, 1]);
  });

  it('keeps the order of all cells', () => {
    const values = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) / 50);
    const order = (data: ArrayLike<number>) => [...values.keys()].sort((a, b) => data[a]! - data[b]!);
    const { data } = contrasted(line(...values), 0.25);
    assert.deepEqual(order(data), order(values));
    assert.equal(new Set(data).size, 100);
  });

  it('leaves a map without heat, and one for which none is asked', () => {
    assert.deepEqual(contrasted(line(0, 0), 0.3), line(0, 0));
    assert.deepEqual(contrasted(line(1, 3), 0), line(1, 3));
  });
});
