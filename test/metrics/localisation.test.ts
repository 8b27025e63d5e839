import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { energyInside } from '../../kernel/metrics/energy-inside.ts';
import { otsuLevel, otsuThreshold } from '../../kernel/metrics/otsu.ts';
import { regionIou } from '../../kernel/metrics/region-iou.ts';

const map = (cols: number, ...data: number[]): Mask => ({
  rows: data.length / cols,
  cols,
  data: Float32Array.from(data),
});
const truth = (width: number, ...data: number[]) => ({ width, height: data.length / width, data });

describe('energy inside', () => {
  it('is the share of the heat', () => {
    // Pixels are the cells where the sizes agree.
    assert.ok(Math.abs(energyInside(map(2, 3, 1, 0, 0), truth(2, 1, 0, 0, 0)) - 0.75) < 1e-6);
  });

  it('counts from the least value, and finds none in a flat map', () => {
    assert.ok(Math.abs(energyInside(map(2, 5, 3, 2, 2), truth(2, 1, 0, 0, 0)) - 0.75) < 1e-6);
    assert.equal(energyInside(map(2, 1, 1, 1, 1), truth(2, 1, 1, 0, 0)), 0);
  });

  it('of a region and of its complement are 1 together', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 9, maxLength: 9 }),
        fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 36, maxLength: 36 }),
        (values, inside) => {
          fc.pre(Math.max(...values) - Math.min(...values) > 1e-3);
          const whole =
            energyInside(map(3, ...values), truth(6, ...inside)) +
            energyInside(map(3, ...values), truth(6, ...inside.map((i) => 1 - i)));
          assert.ok(Math.abs(whole - 1) < 1e-6);
        },
      ),
    );
  });
});

describe('IoU with a region', () => {
  it('is 1 for the region itself, at either threshold', () => {
    assert.deepEqual(regionIou(map(3, 9, 9, 0, 9, 9, 0, 0, 0, 0), truth(3, 1, 1, 0, 1, 1, 0, 0, 0, 0)), {
      best: 1,
      otsu: 1,
    });
  });

  it('at the best threshold, worked out by hand', () => {
    // Marked in turn: 1 of 1 inside (IoU ½), 1 of 2 (⅓), 2 of 3 (⅔), 2 of 4 (½).
    const { best } = regionIou(map(2, 4, 3, 2, 1), truth(2, 1, 0, 1, 0));
    assert.ok(Math.abs(best - 2 / 3) < 1e-9);
  });

  it('by Otsu’s threshold is no better than by the best', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }),
        fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 16, maxLength: 16 }),
        (values, inside) => {
          const { best, otsu } = regionIou(map(4, ...values), truth(4, ...inside));
          assert.ok(otsu <= best && best <= 1 && otsu >= 0);
        },
      ),
    );
  });

  it('of a flat map is 0', () =>
    assert.deepEqual(regionIou(map(2, 1, 1, 1, 1), truth(2, 1, 1, 1, 1)), { best: 0, otsu: 0 }));

  it('cuts two heaps between them', () => {
    const histogram = new Float64Array(256);
    histogram.fill(10, 20, 30);
    histogram.fill(4, 180, 200);
    const level = otsuLevel(histogram);
    assert.ok(level >= 30 && level <= 180, `${level}`);
  });

  it('gives the value that parts a map’s two heaps, and a flat map’s own value', () => {
    const threshold = otsuThreshold(Float32Array.of(0, 0.1, 0.2, 0.8, 0.9, 1));
    assert.ok(threshold > 0.2 && threshold <= 0.8, `${threshold}`);
    assert.equal(otsuThreshold(Float32Array.of(3, 3)), 3);
  });
});
