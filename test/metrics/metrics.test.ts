import assert from 'node:assert/strict';
import fc from 'fast-check';
import { filledMask } from '../../kernel/attribution/mask.ts';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { agreements } from '../../kernel/metrics/agreement.ts';
import { bootstrapInterval, estimate } from '../../kernel/metrics/bootstrap.ts';
import { pointingGame } from '../../kernel/metrics/pointing-game.ts';
import { rankCorrelation } from '../../kernel/metrics/rank-correlation.ts';
import { removalCurves, removalEvaluations } from '../../kernel/metrics/removal-curves.ts';
import { topShareIou } from '../../kernel/metrics/top-share-iou.ts';
import { ToyScorer, cellsIn } from '../attribution/toy-scorer.ts';

const REGION = { left: 0.1, top: 0.2, right: 0.4, bottom: 0.5 };

/** A map that is high in the region and low elsewhere, or the other way round. */
function mapOf(high: number, low: number, size = 32): Mask {
  const map = filledMask(size, size, low);
  for (const cell of cellsIn(REGION, size, size)) map.data[cell] = high;
  return map;
}

const grid = (cols: number, ...data: number[]): Mask => ({
  rows: data.length / cols,
  cols,
  data: Float32Array.from(data),
});

describe('deletion and insertion', () => {
  it('are near 0 and 1 for the right map, and worse for the opposite one', async () => {
    const right = await removalCurves(new ToyScorer([REGION]), mapOf(1, 0), [0], { baseline: 'blur' });
    const wrong = await removalCurves(new ToyScorer([REGION]), mapOf(0, 1), [0], { baseline: 'blur' });
    assert.ok(right && wrong);
    assert.ok(right.deletion.score < 0.1, `deletion ${right.deletion.score}`);
    assert.ok(right.insertion.score > 0.9, `insertion ${right.insertion.score}`);
    assert.ok(wrong.deletion.score > 0.9 && wrong.insertion.score < 0.1);
  });

  it('take 20 of 1024 cells a step, the last step included, and end at the other end', async () => {
    const scorer = new ToyScorer([REGION]);
    const curves = await removalCurves(scorer, mapOf(1, 0), [0], { baseline: 'black' });
    assert.ok(curves);
    const { deletion, insertion } = curves;
    assert.equal(deletion.x.length, 52);
    assert.equal(deletion.x[0], 20 / 1024);
    assert.equal(deletion.x.at(-1), 1);
    assert.equal(deletion.y.at(-1), 0);
    assert.equal(insertion.y.at(-1), 1);
    assert.equal(deletion.baseline, 'black');
    assert.deepEqual(scorer.evaluations, { forward: 2 * 52, gradient: 0 });
    assert.equal(removalEvaluations(1024), 104);
  });

  it('have the mean over the steps as score', async () => {
    const curves = await removalCurves(new ToyScorer([REGION]), mapOf(1, 0, 8), [0], { baseline: 'blur' });
    const y = curves!.deletion.y;
    assert.equal(y.length, 64, 'one cell a step where there are few');
    assert.ok(Math.abs(curves!.deletion.score - y.reduce((sum, value) => sum + value, 0) / 64) < 1e-12);
  });

  it('do not exist where the baseline says the same', async () => {
    assert.equal(await removalCurves(new ToyScorer([null]), mapOf(1, 0), [0], { baseline: 'blur' }), undefined);
  });
});

describe('the pointing game', () => {
  const half = { height: 4, width: 4, data: [1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0] };

  it('hits when the maximum is inside and misses when it is not', () => {
    assert.equal(pointingGame(grid(2, 3, 1, 0, 0), half), 1);
    assert.equal(pointingGame(grid(2, 1, 3, 0, 0), half), 0);
  });

  it('counts the share inside where several pixels share the maximum', () => {
    assert.equal(pointingGame(grid(2, 1, 1, 0, 0), half), 0.5);
  });

  it('misses with a flat map', () => {
    assert.equal(pointingGame(grid(2, 1, 1, 1, 1), half), 0);
  });
});

describe('agreement', () => {
  it('is 1 for the same map and low for its opposite', () => {
    const map = grid(5, ...Array.from({ length: 25 }, (_, i) => (i * 7) % 25));
    const opposite: Mask = { ...map, data: map.data.map((value) => -value) };
    assert.equal(rankCorrelation(map, map), 1);
    assert.equal(topShareIou(map, map, 0.2), 1);
    assert.ok(Math.abs(rankCorrelation(map, opposite) + 1) < 1e-12);
    assert.equal(topShareIou(map, opposite, 0.2), 0);
  });

  it('is symmetric and does not change when values are stretched', () => {
    const maps = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(maps, maps, (a, b) => {
        const [one, two] = [grid(4, ...a), grid(4, ...b)];
        const stretched: Mask = { ...one, data: one.data.map((value) => value ** 3 + 1) };
        assert.ok(Math.abs(rankCorrelation(one, two) - rankCorrelation(two, one)) < 1e-9);
        assert.ok(Math.abs(rankCorrelation(one, two) - rankCorrelation(stretched, two)) < 1e-9);
        assert.equal(topShareIou(one, two, 0.2), topShareIou(two, one, 0.2));
        assert.equal(topShareIou(one, two, 0.2), topShareIou(stretched, two, 0.2));
      }),
    );
  });

  it('compares maps on different grids', () => {
    assert.ok(rankCorrelation(mapOf(1, 0, 16), mapOf(1, 0, 32)) > 0.75);
  });

  it('pairs all maps and leaves out what has none', () => {
    const map = mapOf(1, 0, 8);
    assert.deepEqual(
      agreements([map, null, map, map]).map(({ a, b }) => [a, b]),
      [
        [0, 2],
        [0, 3],
        [2, 3],
      ],
    );
  });

  it('is 0 with a flat map', () => {
    assert.equal(rankCorrelation(filledMask(4, 4, 1), mapOf(1, 0, 4)), 0);
  });
});

describe('the bootstrap', () => {
  it('is the same for the same seed and holds the mean', () => {
    const values = Array.from({ length: 60 }, (_, i) => (i * 17) % 11);
    const [low, high] = bootstrapInterval(values, { seed: 4 })!;
    assert.deepEqual(bootstrapInterval(values, { seed: 4 }), [low, high]);
    assert.notDeepEqual(bootstrapInterval(values, { seed: 5 }), [low, high]);
    const mean = estimate(values)!.mean;
    assert.ok(low < mean && mean < high);
  });

  it('is about ±1.96 standard errors wide', () => {
    const values = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 0 : 1));
    const [low, high] = bootstrapInterval(values)!;
    const expected = 2 * 1.96 * Math.sqrt(0.25 / 200);
    assert.ok(Math.abs(high - low - expected) < 0.15 * expected, `${high - low} against ${expected}`);
  });

  it('gives no interval for one value and nothing for none', () => {
    assert.deepEqual(estimate([3]), { mean: 3, interval: null, count: 1 });
    assert.equal(estimate([]), null);
  });
});
