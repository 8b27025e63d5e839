import assert from 'node:assert/strict';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { measured, metricRow, METRICS } from '../../kernel/metrics/metrics.ts';
import type { Measurements } from '../../kernel/metrics/metrics.ts';

const map: Mask = { rows: 2, cols: 2, data: Float32Array.of(3, 1, 0, 0) };
const truth = { width: 2, height: 2, data: [1, 0, 0, 0] };
const curve = (kind: 'deletion' | 'insertion', score: number) => ({
  kind,
  baseline: 'blur',
  x: [1],
  y: [score],
  score,
});

/** One of each, small enough to see what comes out. */
const EXAMPLES: Measurements = {
  curves: { deletion: curve('deletion', 0.25), insertion: curve('insertion', 0.75), image: 0.9, nothing: 0.1 },
  flips: { deleted: true, kept: false },
  located: { map, truth },
  words: {
    answer: 'a dog',
    words: [{ start: 2, end: 5, truth }],
    maps: [
      { start: 0, end: 1, map: { ...map, data: Float32Array.of(0, 0, 0, 0) } },
      { start: 2, end: 5, map },
    ],
  },
  seed: { map, again: map },
  shift: { map, again: map, by: [0, 0] },
  weights: { map, again: { ...map, data: Float32Array.of(1, 1, 1, 1) } },
  cost: { forward: 2, gradient: 28, milliseconds: 500 },
};

describe('the table of metrics', () => {
  it('has each name once, and values within their ranges', () => {
    assert.equal(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
    for (const [measurement, example] of Object.entries(EXAMPLES)) {
      const metrics = measured(measurement as keyof Measurements, example as never);
      assert.equal(metrics.length, METRICS.filter(({ from }) => from === measurement).length, measurement);
      for (const { name, value, better } of metrics) {
        const row = metricRow(name)!;
        assert.equal(better, row.better);
        assert.ok(value >= row.range[0] && value <= row.range[1], `${name} ${value}`);
      }
    }
  });

  it('computes by hand', () => {
    const value = (measurement: keyof Measurements, name: string) =>
      measured(measurement, EXAMPLES[measurement] as never).find((metric) => metric.name === name)?.value;
    assert.equal(value('curves', 'deletion'), 0.25);
    // 0.25 of the way from 0.1 to 0.9.
    assert.ok(Math.abs(value('curves', 'raw deletion')! - 0.3) < 1e-12);
    assert.ok(Math.abs(value('curves', 'raw insertion')! - 0.7) < 1e-12);
    assert.equal(value('flips', 'flips when deleted'), 1);
    assert.equal(value('flips', 'flips when kept'), 0);
    assert.equal(value('located', 'energy inside'), 0.75);
    assert.equal(value('words', 'Func-IoU'), 1);
    assert.equal(value('seed', 'seed stability'), 1);
    assert.equal(value('weights', 'untrained likeness'), 0);
    assert.equal(value('cost', 'gradient evaluations'), 28);
  });

  it('gives no normalised score where image and stand-in hardly differ', () => {
    const alike = measured('curves', { ...EXAMPLES.curves, image: 0.69, nothing: 0.5 }).map(({ name }) => name);
    assert.deepEqual(alike, ['raw deletion', 'raw insertion']);
  });

  it('names what is measured with a baseline after it', () => {
    const [first] = measured('curves', EXAMPLES.curves, 'noise');
    assert.equal(first!.name, 'deletion (noise)');
    assert.equal(metricRow('deletion (noise)')!.name, 'deletion');
    assert.equal(metricRow('raw deletion (noise)')!.name, 'raw deletion');
    assert.equal(metricRow('no such thing'), undefined);
  });
});
