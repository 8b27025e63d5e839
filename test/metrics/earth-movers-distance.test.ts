import assert from 'node:assert/strict';
import { seededRandom } from '../../kernel/image/random.ts';
import { earthMoversDistance, transportCost } from '../../kernel/metrics/earth-movers-distance.ts';

const SIDE = 12;

/** A map of some hot cells, [row, column, heat]. */
function map(hot: readonly (readonly [number, number, number])[], rows = SIDE, cols = SIDE) {
  const data = new Float32Array(rows * cols);
  for (const [row, col, heat] of hot) data[row * cols + col] = heat;
  return { rows, cols, data };
}

const near = (actual: number | null, expected: number, allowed = 1e-6) =>
  assert.ok(actual !== null && Math.abs(actual - expected) < allowed, `${String(actual)}, not ${expected}`);

describe('the earth mover’s distance', () => {
  it('is the way of one hot cell to another, in diagonals of the image', () => {
    // Three columns and four rows are five cells of twelve.
    near(earthMoversDistance(map([[2, 1, 5]]), map([[6, 4, 0.1]])), 5 / 12 / Math.SQRT2);
    // In an image of twice the width three columns are six rows wide.
    near(earthMoversDistance(map([[2, 1, 1]]), map([[2, 4, 1]]), 2), 0.5 / Math.sqrt(5));
    near(earthMoversDistance(map([[0, 0, 1]]), map([[11, 11, 1]])), 11 / 12);
  });

  it('moves what has to be moved, and no more', () => {
    const two = [
      [0, 0, 1],
      [0, 6, 1],
    ] as const;
    near(earthMoversDistance(map(two), map(two)), 0);
    // Half of the heat goes six columns; the other half is there already.
    near(earthMoversDistance(map(two), map([[0, 0, 7]])), 0.25 / Math.SQRT2);
    // Three quarters and one quarter to one half each: one quarter goes two rows.
    near(
      earthMoversDistance(
        map([
          [4, 4, 3],
          [6, 4, 1],
        ]),
        map([
          [4, 4, 1],
          [6, 4, 1],
        ]),
      ),
      (0.25 * 2) / 12 / Math.SQRT2,
    );
    // The nearest is not always right: 3 → 2 and 1 → 0 cost 2, 1 → 2 and 3 → 0 would cost 4.
    const [from, to] = [
      [1, 3],
      [2, 0],
    ].map((cols) => map(cols.map((col) => [5, col, 1] as const)));
    near(earthMoversDistance(from!, to!), 1 / 12 / Math.SQRT2);
  });

  it('is the same for maps on other grids, symmetric, and no more than 1', () => {
    // The same heat on 24 × 24 cells.
    const fine = map(
      [
        [4, 2, 1],
        [4, 3, 1],
        [5, 2, 1],
        [5, 3, 1],
      ],
      24,
      24,
    );
    near(earthMoversDistance(fine, map([[2, 1, 1]])), 0);
    // A single cell over the whole image is spread evenly: to one corner the mean way of all cells.
    const even = map([[0, 0, 1]], 1, 1);
    let mean = 0;
    for (let i = 0; i < SIDE * SIDE; i++)
      mean += Math.hypot(i % SIDE, Math.floor(i / SIDE)) / SIDE / Math.SQRT2 / SIDE ** 2;
    near(earthMoversDistance(even, map([[0, 0, 1]])), mean);
    near(earthMoversDistance(map([[0, 0, 1]]), even), mean);
    assert.equal(earthMoversDistance(even, map([])), null);
    // What is below 0 is no heat.
    near(
      earthMoversDistance(
        map([
          [0, 0, 1],
          [9, 9, -5],
        ]),
        map([[0, 0, 1]]),
      ),
      0,
    );
  });

  it('is optimal: no dearer than any assignment, on random problems', () => {
    const { uniform } = seededRandom(3);
    const permutations = (items: readonly number[]): number[][] =>
      items.length === 0
        ? [[]]
        : items.flatMap((x) => permutations(items.filter((y) => y !== x)).map((rest) => [x, ...rest]));
    for (let trial = 0; trial < 20; trial++) {
      const cost = Array.from({ length: 5 }, () => Array.from({ length: 5 }, () => uniform()));
      const best = Math.min(
        ...permutations([0, 1, 2, 3, 4]).map((to) => to.reduce((sum, j, i) => sum + cost[i]![j]!, 0)),
      );
      near(transportCost([1, 1, 1, 1, 1], [1, 1, 1, 1, 1], cost), best);
    }
  });

  it('satisfies the triangle inequality on random maps', () => {
    const { uniform } = seededRandom(5);
    const random = () => ({ rows: 32, cols: 32, data: Float32Array.from({ length: 1024 }, () => uniform() ** 6) });
    for (let trial = 0; trial < 4; trial++) {
      const [a, b, c] = [random(), random(), random()];
      const direct = earthMoversDistance(a, c)!;
      assert.ok(direct > 0 && direct <= earthMoversDistance(a, b)! + earthMoversDistance(b, c)! + 1e-9);
    }
  });
});
