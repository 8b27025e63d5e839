import assert from 'node:assert/strict';
import fc from 'fast-check';
import { holm, pairedTest } from '../../kernel/metrics/paired.ts';

describe('the paired test', () => {
  it('is exact for few pairs, worked out by hand', () => {
    // Of the 8 choices of signs of 1, 2, 3 only +++ and −−− reach a sum of 6.
    const { difference, p, count } = pairedTest([2, 4, 6], [1, 2, 3]);
    assert.equal(difference, 2);
    assert.equal(count, 3);
    assert.equal(p, 2 / 8);
  });

  it('is McNemar’s exact test for yes and no', () => {
    // 5 pairs differ, all in one direction: 2 · ½⁵.
    const a = [1, 1, 1, 1, 1, 0, 1, 0];
    const b = [0, 0, 0, 0, 0, 0, 1, 0];
    assert.equal(pairedTest(a, b).p, 2 / 32);
  });

  it('does not depend on the order of methods, and finds nothing where nothing is', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 9 }), (values) => {
        const other = [...values].reverse();
        assert.equal(pairedTest(values, other).p, pairedTest(other, values).p);
        assert.equal(pairedTest(values, values).p, 1);
      }),
    );
    assert.deepEqual(pairedTest([], []), { difference: 0, interval: null, p: 1, count: 0 });
    assert.throws(() => pairedTest([1], []), /cannot be paired/);
  });

  it('agrees with the normal approximation for many', () => {
    // 60 differences of ±1, 40 of them positive: z = 20/√60 = 2.58, and with exact ties about 0.0137.
    const a = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 0 : 1));
    const b = a.map((value) => 1 - value);
    const { p } = pairedTest(a, b);
    assert.ok(Math.abs(p - 0.0137) < 0.005, `${p}`);
    assert.equal(pairedTest(a, b).p, p, 'the same seed gives the same');
  });
});

describe('Holm’s correction', () => {
  it('worked out by hand', () => {
    // Sorted 0.01·3, 0.02·2, 0.04·1, none below the one before.
    assert.deepEqual(holm([0.04, 0.01, 0.02]), [0.04, 0.03, 0.04]);
    assert.deepEqual(holm([0.5, 0.9]), [1, 1]);
  });
});
