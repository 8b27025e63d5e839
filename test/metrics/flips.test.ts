import assert from 'node:assert/strict';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { flips } from '../../kernel/metrics/flips.ts';

describe('answer flips', () => {
  // The model sees a dog where the first cell is shown, and a cat elsewhere.
  const answerOf = async ({ data }: Mask) => (data[0] === 1 ? ' a dog' : 'a cat');
  const map = (...data: number[]): Mask => ({ rows: 2, cols: data.length / 2, data: Float32Array.from(data) });

  it('of a map that marks what the answer rests on: gone when deleted, kept when kept', async () => {
    assert.deepEqual(await flips(map(9, 0, 1, 2, 3, 4, 5, 6), 0.125, 'a dog', answerOf), {
      deleted: true,
      kept: false,
    });
  });

  it('of a map that marks something else, the other way round', async () => {
    assert.deepEqual(await flips(map(0, 9, 1, 2, 3, 4, 5, 6), 0.125, 'a dog', answerOf), {
      deleted: false,
      kept: true,
    });
  });

  it('takes away as many cells as asked for', async () => {
    const shown: number[] = [];
    const counting = async ({ data }: Mask) => {
      shown.push(data.reduce((sum, m) => sum + m, 0));
      return '';
    };
    await flips(map(0, 9, 1, 2, 3, 4, 5, 6), 0.25, '', counting);
    assert.deepEqual(shown, [6, 2]);
  });
});
