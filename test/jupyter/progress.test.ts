import assert from 'node:assert/strict';
import { duration, formatProgress } from '../../kernel/jupyter/progress.ts';

describe('progress', () => {
  it('says the stage, a bar, the step, the rate, the time left and the loss', () => {
    assert.equal(
      formatProgress({ stage: 'joint map', step: 5, steps: 20, loss: -0.5249 }, 1000),
      'joint map |█████               | 5/20, 5.0 steps/s, 3.0 s left, loss -0.525',
    );
  });

  it('believes an estimate that it is given', () => {
    assert.match(formatProgress({ stage: 'x', step: 1, steps: 4, remainingMs: 65_000 }, 10), /1 min 5 s left/);
  });

  it('draws parts of a block, and nothing left at the end', () => {
    assert.equal(formatProgress({ stage: 'x', step: 1, steps: 160 }, 0), `x |▏${' '.repeat(19)}| 1/160`);
    assert.equal(formatProgress({ stage: 'x', step: 2, steps: 2 }, 1000), `x |${'█'.repeat(20)}| 2/2, 2.0 steps/s`);
    assert.equal(formatProgress({ stage: 'x', step: 0, steps: 0 }, 0), `x |${' '.repeat(20)}| 0/0`);
  });

  it('writes durations for people', () => {
    assert.deepEqual([400, 9_949, 12_400, 119_600, 3_600_000].map(duration), [
      '0.4 s',
      '9.9 s',
      '12 s',
      '2 min 0 s',
      '60 min 0 s',
    ]);
  });
});
