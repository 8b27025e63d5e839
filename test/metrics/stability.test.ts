import assert from 'node:assert/strict';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { stability, untrainedLikeness } from '../../kernel/metrics/stability.ts';

const map = (cols: number, ...data: number[]): Mask => ({
  rows: data.length / cols,
  cols,
  data: Float32Array.from(data),
});

describe('stability', () => {
  it('is 1 for the same map, −1 for its opposite, and ½ for ranks worked out by hand', () => {
    const one = map(3, 1, 2, 3);
    assert.equal(stability(one, one), 1);
    assert.equal(stability(one, map(3, 3, 2, 1)), -1);
    // Ranks 1 2 3 and 1 3 2: 1 − 6·(0 + 1 + 1)/(3·8) = ½.
    assert.ok(Math.abs(stability(one, map(3, 1, 3, 2)) - 0.5) < 1e-12);
  });

  it('moves the map of a moved picture back', () => {
    // Everything goes one of four columns to the right; what is new at an edge continues it.
    const [before, after] = [map(4, 5, 1, 2, 2), map(4, 5, 5, 1, 2)];
    assert.equal(stability(before, after, [0.25, 0]), 1);
    assert.ok(stability(before, after) < 0.5);
    // And one of two rows down.
    assert.equal(stability(map(2, 1, 2, 1, 2), map(2, 9, 8, 1, 2), [0, 0.5]), 1);
  });
});

describe('likeness to an untrained model', () => {
  it('is the correlation without its sign', () => {
    assert.equal(untrainedLikeness(map(3, 1, 2, 3), map(3, 3, 2, 1)), 1);
    assert.equal(untrainedLikeness(map(2, 1, 2, 3, 4), map(2, 1, 1, 1, 1)), 0);
    // Ranks 1 2 3 4 and 2 4 1 3: Σd² = 1 + 4 + 4 + 1 = 10, 1 − 60/60 = 0.
    assert.ok(untrainedLikeness(map(2, 1, 2, 3, 4), map(2, 2, 4, 1, 3)) < 1e-12);
  });
});
