import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { removalOrder, searchedFlips } from '../../bench/faithfulness/flip-search.ts';
import { isCore, SETTINGS } from '../../bench/faithfulness/methods.ts';
import { MAIN, plan } from '../../bench/faithfulness/plan.ts';
import { compact, kept, optionsHash, valuesOf } from '../../bench/faithfulness/records.ts';
import type { SceneRecord } from '../../bench/faithfulness/records.ts';
import { RULERS } from '../../bench/faithfulness/rulers.ts';
import { Scenes } from '../../bench/faithfulness/scenes.ts';
import type { Asked } from '../../bench/faithfulness/scenes.ts';
import { METRIC_NAMES, Summary } from '../../bench/faithfulness/summary.ts';
import { truthMap } from '../../bench/faithfulness/truth.ts';
import { METHODS } from '../../kernel/attribution/methods.ts';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { BASELINES } from '../../kernel/engine/tasks/question-params.ts';
import { shutdown } from '../../kernel/index.ts';

const record = (
  setting: string,
  scene: string,
  values: SceneRecord['values'],
  more: Partial<SceneRecord> = {},
): SceneRecord => ({
  part: 'map',
  model: 'pocket',
  setting,
  options: optionsHash(SETTINGS.find(({ name }) => name === setting)!),
  scene,
  values,
  ...more,
});

describe('the table of methods', () => {
  it('measures every method of the kernel, on the main model first', () => {
    assert.deepEqual(new Set(SETTINGS.map(({ method }) => method)), new Set(METHODS.keys()));
    assert.equal(new Set(SETTINGS.map(({ name }) => name)).size, SETTINGS.length);
    const rounds = plan([MAIN, 'another']);
    assert.ok(rounds[0]!.settings.every(isCore) && rounds[0]!.models.every((model) => model === MAIN));
    for (const part of ['map', 'words', 'checks'] as const) {
      for (const model of [MAIN, 'another']) {
        const planned = rounds.filter((round) => round.part === part && round.models.includes(model));
        const all = SETTINGS.filter((setting) => planned.some(({ settings }) => settings.includes(setting)));
        // Presets that take thousands of evaluations are for the main model alone; every method is measured everywhere.
        assert.deepEqual(new Set(all.map(({ method }) => method)), new Set(METHODS.keys()), `${part} of ${model}`);
      }
    }
  });

  it('keeps records as they were, and leaves out those of other options', async () => {
    const [one, two] = SETTINGS;
    const records = [
      record(one!.name, '000.png', { 'deletion (blur)': 0.25, 'pointing game': 1 }),
      record(two!.name, '000.png', { 'pointing game': 0 }),
      record(two!.name, '001.png', {}, { refused: 'no attention here' }),
    ];
    const folder = mkdtempSync(path.join(os.tmpdir(), 'lens-records-'));
    try {
      const file = path.join(folder, 'kept.json');
      const stale = record(one!.name, '002.png', { 'pointing game': 1 }, { options: 'other' });
      writeFileSync(file, compact([...records, stale], SETTINGS));
      const read = await kept(file);
      assert.equal(read.length, records.length);
      for (const each of records)
        assert.ok(
          read.some((other) => isSame(other, each)),
          JSON.stringify(each),
        );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('compares methods on the scenes that both have', () => {
    const [one, two] = [SETTINGS[0]!.name, SETTINGS[1]!.name];
    const scenes = Array.from({ length: 10 }, (_, i) => `${i}.png`);
    const summary = new Summary(
      'pocket',
      [
        ...scenes.map((scene, i) => record(one, scene, { 'deletion (blur)': 0.1, 'pointing game': i % 2 })),
        ...scenes.slice(2).map((scene, i) => record(two, scene, { 'deletion (blur)': 0.2, 'pointing game': i % 2 })),
        record(two, 'another.png', { 'deletion (blur)': 9 }, { model: 'another' }),
      ],
      SETTINGS.map(({ name }) => name),
    );
    const [deletion] = summary.comparisons(one, 'deletion (blur)');
    // Lower is better: all 8 differences have one sign, which of 2^8 choices 2 reach.
    assert.equal(deletion!.verdict, 'better');
    assert.equal(deletion!.count, 8);
    assert.ok(Math.abs(deletion!.p - 2 / 256) < 1e-12 && Math.abs(deletion!.difference + 0.1) < 1e-12);
    assert.equal(summary.comparisons(two, 'deletion (blur)')[0]!.verdict, 'worse');
    assert.equal(summary.comparisons(one, 'pointing game')[0]!.verdict, 'no difference shown');
    assert.deepEqual(summary.comparisons(one, 'insertion (blur)'), []);
    assert.ok(METRIC_NAMES.includes('deletion (noise)') && METRIC_NAMES.includes('F1-IoU'));
  });

  it('has rulers that no method is compared with', () => {
    const [one, two] = [SETTINGS[0]!.name, SETTINGS[1]!.name];
    const names = [one, two, ...RULERS.map(({ name }) => name)];
    const records = names.flatMap((name) =>
      Array.from({ length: 4 }, (_, i) => ({ ...record(one, `${i}.png`, { 'pointing game': 1 }), setting: name })),
    );
    const compared = new Summary('pocket', records, names).comparisons(one, 'pointing game');
    assert.deepEqual(
      compared.map(({ setting }) => setting),
      [two],
    );
  });

  it('draws the evidence as a map: all of it there, nothing elsewhere, the middle first', () => {
    const [width, height] = [192, 96];
    const data = Uint8Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return Number(x >= 96 && x < 168 && y >= 24 && y < 72);
    });
    const { rows, cols, data: map } = truthMap({ width, height, data });
    assert.deepEqual([rows, cols], [32, 32]);
    // Columns 16 … 27, rows 8 … 23.
    assert.ok(map[16 * 32 + 22]! > 0.99);
    assert.ok(map[16 * 32 + 16]! > 0.5 && map[16 * 32 + 16]! < map[16 * 32 + 18]!);
    assert.equal(map[16 * 32 + 8], 0);
    assert.equal(map[31 * 32 + 22], 0);
  });

  it('searches for the eighth of the image that matters, block by block, what matters most first', async () => {
    // A score that falls by what these blocks of 4 × 4 cells hold as they go.
    const worth: Readonly<Record<number, number>> = { 9: 3, 50: 2, 0: 1 };
    const goneFrom = ({ data }: Mask, block: number): boolean =>
      data[Math.floor(block / 8) * 4 * 32 + (block % 8) * 4 + 33] === 0;
    const { rows, cols, data } = await removalOrder(async (masks) =>
      masks.map((mask) =>
        Object.entries(worth).reduce((score, [block, by]) => score - (goneFrom(mask, Number(block)) ? by : 0), 0),
      ),
    );
    assert.deepEqual([rows, cols], [32, 32]);
    assert.equal(data.filter((value) => value > 0).length, 128, 'an eighth of 1024 cells');
    const first = (row: number, col: number) => data[row * 32 + col]!;
    assert.deepEqual([first(4, 4), first(7, 7)], [1, 1], 'all of block 9');
    assert.equal(first(24, 8), 1 - 1 / 8, 'then block 50');
    assert.equal(first(3, 3), 1 - 2 / 8, 'then block 0');
    assert.equal(first(4, 8), 0, 'beside block 9');
  });

  it('finds that an answer changes without what a search names', async function () {
    this.timeout(300_000);
    const scenes = await Scenes.of(MAIN);
    const { value: asked } = await scenes.first(1).next();
    const values = valuesOf(await searchedFlips(asked as Asked, MAIN));
    for (const baseline of BASELINES) assert.equal(values[`flips when deleted (${baseline})`], 1, baseline);
    assert.equal(values['forward evaluations'], 64 + 63 + 62 + 61 + 60 + 59 + 58 + 57);
    await shutdown();
  });

  it('says why a method gives nothing', () => {
    const { name } = SETTINGS[0]!;
    const summary = new Summary('pocket', [record(name, '0.png', {}, { refused: 'no attention here' })], [name]);
    assert.equal(summary.refusal(name), 'no attention here');
  });
});

function isSame(a: SceneRecord, b: SceneRecord): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
