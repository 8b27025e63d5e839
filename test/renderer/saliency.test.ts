import assert from 'node:assert/strict';
import type { SaliencyMap } from '../../kernel/document.ts';
import {
  cellAt,
  fieldOf,
  mainMap,
  onScale,
  resample,
  sharedScale,
  tokenMap,
  valueAt,
} from '../../renderer/saliency.ts';
import { comparisonDocument, explanation } from './fixture.ts';

const map: SaliencyMap = {
  label: 'all',
  role: 'joint',
  tokens: [0],
  method: 'igos++',
  rows: 2,
  cols: 3,
  data: Buffer.from([0, 10, 20, 100, 110, 120]).toString('base64'),
  offset: -1,
  scale: 0.1,
};

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} is not ${expected}`);

describe('reading saliency', () => {
  const field = fieldOf(map);

  it('values are offset + scale · byte', () => {
    [-1, 0, 1, 9, 10, 11].forEach((value, at) => near(field.values[at]!, value));
    near(field.min, -1);
    near(field.max, 11);
  });

  it('is exact at the centres of cells, linear between them, and level beyond them', () => {
    near(valueAt(field, { u: 1 / 6, v: 1 / 4 }), -1);
    near(valueAt(field, { u: 1 / 2, v: 3 / 4 }), 10);
    near(valueAt(field, { u: 1 / 3, v: 1 / 2 }), (-1 + 0 + 9 + 10) / 4);
    near(valueAt(field, { u: 0, v: 0 }), -1);
    near(valueAt(field, { u: 1, v: 1 }), 11);
  });

  it('names the cell that holds a place, its edges included', () => {
    assert.deepEqual(cellAt(field, { u: 1, v: 1 }), { row: 1, col: 2, u: 5 / 6, v: 3 / 4 });
    assert.deepEqual(cellAt(field, { u: -1, v: 0.2 }), { row: 0, col: 0, u: 1 / 6, v: 1 / 4 });
  });

  it('resamples to one value per pixel on the scale', () => {
    const levels = resample(field, [-1, 11], 3, 2);
    [0, 1 / 12, 2 / 12, 10 / 12, 11 / 12, 1].forEach((level, at) => near(levels[at]!, level));
  });

  it('shows nothing of a map that is the same everywhere', () => {
    assert.equal(onScale(5, [5, 5]), 0);
  });

  it('finds the joint map and the map of a token', () => {
    const one = explanation();
    assert.equal(mainMap(one)?.role, 'joint');
    assert.deepEqual(tokenMap(one, 7)?.tokens, [7]);
    assert.equal(tokenMap(one, 0), undefined);
    assert.equal(mainMap({ ...one, maps: [] }), undefined);
  });

  it('shares one scale over a comparison', async () => {
    const [low, high] = sharedScale(await comparisonDocument());
    near(low, 0);
    assert.ok(high > 0.9 && high <= 1);
  });
});
