import assert from 'node:assert/strict';
import { contrasted } from '../../kernel/attribution/contrast.ts';
import { decodedMap, encodedMap } from '../../kernel/saliency-bytes.ts';

const line = (...values: number[]) => ({ rows: 1, cols: values.length, data: Float32Array.from(values) });

describe('contrast of a map', () => {
  it('is 0.9·s²/(s² + k²)·(1 + k²) + 0.1·√s, worked out by hand', () => {
    // k = ½: ¼ → 0.9·(1/16)/(1/16 + 1/4)·5/4 + 0.1·½ = 0.275, 0.49 → 0.9·0.2401/0.4901·5/4 + 0.1·0.7.
    const expected = [0, 0.275, (0.9 * 0.2401 * 1.25) / 0.4901 + 0.07, 1];
    contrasted(line(0, 1, 1.96, 4), 0.5).data.forEach((value, i) =>
      assert.ok(Math.abs(value - expected[i]!) < 1e-6, `${value} where ${expected[i]} is expected`),
    );
  });

  it('keeps the order of what is faint in the byte that a document has for a cell', () => {
    const { data } = decodedMap(encodedMap(contrasted(line(1, 0.02, 0.01, 0.005, 0.001, 0), 0.3)));
    assert.deepEqual(
      data,
      data.toSorted((a, b) => b - a),
    );
    assert.equal(new Set(data).size, 6);
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
