import assert from 'node:assert/strict';
import { jointBilateral } from '../../kernel/attribution/joint-bilateral.ts';
import { smoothed } from '../../kernel/attribution/smoothing.ts';
import type { Mask, NormalisedImage } from '../../kernel/attribution/scorer.ts';

/** An image of which each pixel has one value in all three channels. */
const grey = (side: number, value: (x: number, y: number) => number): NormalisedImage => ({
  channels: 3,
  height: side,
  width: side,
  data: Float32Array.from({ length: 3 * side * side }, (_, i) => value(i % side, Math.floor(i / side) % side)),
});

const random = (rows: number, cols: number): Mask => ({
  rows,
  cols,
  data: Float32Array.from({ length: rows * cols }, (_, i) => (Math.sin(i * 12.9898) * 43758.5453) % 1),
});

describe('smoothing within what looks alike', () => {
  it('is Gaussian smoothing where everything looks alike', () => {
    const map = random(9, 12);
    const expected = smoothed(map, 1.5).data;
    jointBilateral(
      map,
      grey(96, () => 0.4),
      1.5,
      0.1,
    ).data.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-6));
  });

  it('carries nothing over an edge', () => {
    // The right half is white; heat lies in the column left of the edge.
    const map = { rows: 8, cols: 8, data: Float32Array.from({ length: 64 }, (_, i) => Number(i % 8 === 3)) };
    const halves = grey(64, (x) => (x < 32 ? -1 : 1));
    const { data } = jointBilateral(map, halves, 2, 0.15);
    for (let row = 0; row < 8; row++) {
      assert.ok(data[row * 8 + 2]! > 0.15, 'within the left half it spreads');
      assert.ok(data[row * 8 + 4]! < 1e-6, 'into the right half it does not');
    }
  });

  it('takes of each cell the mean of its pixels, also where a cell is less than a pixel', () => {
    // A fine chequerboard is grey to cells of 4 × 4 pixels.
    const chequered = grey(32, (x, y) => ((x + y) % 2) * 2 - 1);
    const map = random(8, 8);
    assert.deepEqual(
      jointBilateral(map, chequered, 1, 0.1),
      jointBilateral(
        map,
        grey(32, () => 0),
        1,
        0.1,
      ),
    );
    assert.ok(
      jointBilateral(
        random(16, 16),
        grey(8, (x) => x),
        1,
        0.1,
      ).data.every(Number.isFinite),
    );
  });
});
