import assert from 'node:assert/strict';
import { smoothed } from '../../kernel/attribution/smoothing.ts';

const total = (values: Float32Array) => values.reduce((a, b) => a + b, 0);

describe('smoothing of a map', () => {
  const point = { rows: 13, cols: 13, data: new Float32Array(169) };
  point.data[6 * 13 + 6] = 1;

  it('spreads a cell as the Gaussian does', () => {
    const { data } = smoothed(point, 1);
    const at = (row: number, col: number) => data[(6 + row) * 13 + 6 + col]!;
    for (const [row, col] of [
      [0, 1],
      [1, 0],
      [1, 1],
      [0, 2],
    ] as const) {
      const expected = Math.exp(-(row ** 2 + col ** 2) / 2);
      assert.ok(Math.abs(at(row, col) / at(0, 0) - expected) < 1e-6, `${at(row, col) / at(0, 0)} for ${expected}`);
      assert.ok(Math.abs(at(row, col) - at(-row, -col)) < 1e-7);
    }
    assert.ok(Math.abs(total(data) - 1) < 1e-6);
  });

  it('keeps a flat map flat up to its edges', () => {
    const flat = { rows: 4, cols: 5, data: new Float32Array(20).fill(0.3) };
    for (const value of smoothed(flat, 2).data) assert.ok(Math.abs(value - 0.3) < 1e-6);
  });

  it('of width 0 changes nothing', () => assert.deepEqual(smoothed(point, 0), point));
});
