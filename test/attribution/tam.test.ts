import assert from 'node:assert/strict';
import type { TokenLogits } from '../../kernel/attribution/scorer.ts';
import { rankGaussianFilter, tokenActivation } from '../../kernel/attribution/tam.ts';

const near = (actual: ArrayLike<number>, expected: readonly number[]) => {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(actual[i]! - value) < 1e-6, `${i}: ${actual[i]} and ${value}`));
};

const WHOLE = { rows: 1, cols: 2, cells: [0, 1], window: [0, 0, 1, 1] } as const;

/** Two image tokens; one word of the prompt and two of the answer. */
const logits = (ids: number[], ...rows: number[][]): TokenLogits => ({
  ...{ ids, prompt: 1, image: 2, logits: Float32Array.from(rows.flat()), grids: [WHOLE] },
});

describe('the token activation map', () => {
  it('takes away what the context explains, worked out by hand', () => {
    const given = logits([10, 20, 30], [2, 1, 4], [0, 3, 2], [9, 1, 3], [9, 9, 1]);
    // a = (1, 3); e = (2, 0) of the one word before it; s = 2/4: a − s·e = (0, 3).
    near(tokenActivation(given, 0), [0, 3]);
    // a = (4, 2), w = (3, 1)/4, e = ¾·(2, 0) + ¼·(1, 3) = (1.75, 0.75), s = 8.5/3.625: (4 − 4.1034, 2 − 1.7586).
    near(tokenActivation(given, 1), [0, 2 - (0.75 * 8.5) / 3.625]);
  });

  it('counts negative logits as none, at the image and in the context', () => {
    const given = logits([10, 20, 30], [2, -1, 4], [-5, 3, 2], [9, 1, 3], [9, 9, -8]);
    near(tokenActivation(given, 0), [0, 3]);
    // Only the prompt's word is left: e = (2, 0), s = 8/4.
    near(tokenActivation(given, 1), [0, 2]);
  });

  it('leaves out earlier places of the same word', () => {
    const given = logits([10, 30, 30], [2, 4, 4], [0, 2, 2], [9, 3, 3], [9, 9, 1]);
    near(tokenActivation(given, 1), [0, 2]);
  });

  it('is the activation itself where there is no context', () => {
    near(tokenActivation(logits([30, 30, 30], [1, 4, 4], [1, 2, 2], [9, 3, 3], [9, 9, 1]), 1), [4, 2]);
  });
});

describe('the rank Gaussian filter', () => {
  it('gives what the paper’s formula gives in numpy', () => {
    const map = [0, 1, 2, 0, 3, 9, 1, 0, 2, 4, 0, 0];
    near(rankGaussianFilter(map, 3, 4, 3), [
      ...[4.41669123, 2.02739293, 1.21384764, 0.97376564],
      ...[2.97396318, 1.76109139, 0.90580839, 0.35489921],
      ...[4.56039613, 2.73342081, 1.17016449, 0.32158174],
    ]);
  });

  it('takes away a single peak, and leaves what is even as it is', () => {
    const peak = rankGaussianFilter([1, 1, 1, 1, 2, 1, 1, 1, 1], 3, 3, 3);
    assert.ok(peak[4]! < 1.01);
    near(rankGaussianFilter([3, 3, 3, 3], 2, 2, 3), [3, 3, 3, 3]);
    near(rankGaussianFilter([0, 0, 0, 0], 2, 2, 3), [0, 0, 0, 0]);
    near(rankGaussianFilter([5, 1], 1, 2, 1), [5, 1]);
  });
});
