import assert from 'node:assert/strict';
import { filledMask, mapMask } from '../../kernel/attribution/mask.ts';
import type { Mask, ScoreRequest, Scorer } from '../../kernel/attribution/scorer.ts';
import { checkRounds, spotChecked } from '../../kernel/attribution/spot-checks.ts';
import type { SpotChecksOptions } from '../../kernel/attribution/spot-checks.ts';
import { AbortError } from '../../kernel/errors.ts';
import { ToyScorer } from './toy-scorer.ts';

const SIZE = 16;
/** A cell each, as far from each other as spots must be. */
const LEFT = 5 * SIZE + 3;
const RIGHT = 10 * SIZE + 12;
const ONE = Float32Array.of(1);

/** A map with a hill of a given height around each of the two cells. */
const hills = (left: number, right: number): Mask =>
  mapMask(filledMask(SIZE, SIZE, 0), (_, cell) => {
    const hill = (at: number) =>
      Math.exp(-(((cell % SIZE) - (at % SIZE)) ** 2 + (Math.floor(cell / SIZE) - Math.floor(at / SIZE)) ** 2) / 4);
    return left * hill(LEFT) + right * hill(RIGHT);
  });

/** A model with one token, of which a function of the mask gives the probability. */
function model(probability: (request: ScoreRequest) => number) {
  const asked: (readonly ScoreRequest[])[] = [];
  const scorer: Scorer = Object.assign(Object.create(new ToyScorer([null])) as Scorer, {
    logp: async (requests: readonly ScoreRequest[]) => {
      asked.push(requests);
      return requests.map((request) => Float32Array.of(Math.log(probability(request))));
    },
  });
  return { scorer, asked };
}

const looked = (scorer: Scorer, heat: Mask, options: Partial<SpotChecksOptions> = {}) =>
  spotChecked(scorer, ONE, heat, { spots: 2, baselines: ['own'], ...options }, { seed: 0 });

/** The weighed map of a model that confirms some of it. */
async function checked(...of: Parameters<typeof looked>): Promise<Mask> {
  const map = await looked(...of);
  assert.ok(map, 'confirmed');
  return map;
}

describe('spot checks', () => {
  it('weigh by the root of what hiding a spot takes away and showing it brings back', async () => {
    // Effects: LEFT 0.64 twice, RIGHT 0.16 twice, so that RIGHT keeps √¼ of its heat.
    const { scorer } = model(({ mask: { data } }) => 0.1 + 0.64 * data[LEFT]! + 0.16 * data[RIGHT]!);
    const { data } = await checked(scorer, hills(0.8, 1));
    assert.ok(Math.abs(data[LEFT]! - 0.8) < 1e-3, `${data[LEFT]} stays`);
    assert.ok(Math.abs(data[RIGHT]! - 0.5) < 1e-3, `${data[RIGHT]} is half`);
  });

  it('count both halves: what the other can stand in for is not missed, but brings back a part when shown', async () => {
    // LEFT: 0 when hidden and 0.4 alone; RIGHT: 0.4 when hidden and 0.8 alone.
    const { scorer } = model(({ mask: { data } }) => 0.1 + 0.8 * Math.max(0.5 * data[LEFT]!, data[RIGHT]!));
    const { data } = await checked(scorer, hills(1, 0.7));
    assert.ok(Math.abs(data[LEFT]! - Math.sqrt(0.4 / 1.2)) < 1e-3, `${data[LEFT]}`);
    assert.ok(Math.abs(data[RIGHT]! - 0.7) < 1e-3, `${data[RIGHT]}`);
  });

  it('cool a spot that speaks against the answer to nothing', async () => {
    const { scorer } = model(({ mask: { data } }) => 0.4 + 0.3 * data[LEFT]! - 0.3 * data[RIGHT]!);
    const { data } = await checked(scorer, hills(0.6, 1));
    assert.ok(data[RIGHT]! < 1e-3 && data[LEFT]! > 0.59);
  });

  it('sum over the baselines, own being the scorer’s', async () => {
    // Blur (the scorer's own) leaves what LEFT says; noise does not.
    const { scorer, asked } = model(({ mask: { data }, baseline }) => {
      const left = baseline === 'noise' ? data[LEFT]! : 1;
      return 0.1 + 0.4 * left + 0.4 * data[RIGHT]!;
    });
    const { data } = await checked(scorer, hills(1, 1), { baselines: ['own', 'noise'] });
    assert.ok(Math.abs(data[LEFT]! / data[RIGHT]! - Math.SQRT1_2) < 1e-3, 'half the effect of the other');
    const baselines = asked.flat().map(({ baseline }) => baseline);
    assert.deepEqual(baselines, [...Array<undefined>(6).fill(undefined), ...Array<string>(5).fill('noise')]);
  });

  it('confirm nothing where no spot makes the answer a tenth more likely, however unlikely it is', async () => {
    const heat = hills(0.6, 1);
    const spoken = (nats: number) => (request: ScoreRequest) => 0.001 * Math.exp(nats * request.mask.data[RIGHT]!);
    assert.equal(await looked(model(() => 0.5).scorer, heat), undefined);
    assert.equal(await looked(model(spoken(0.09)).scorer, heat), undefined, 'less than a tenth, both hidden and shown');
    assert.equal(
      await looked(model(spoken(-2)).scorer, heat),
      undefined,
      'and what speaks against it confirms nothing',
    );
    const { data } = await checked(model(spoken(0.11)).scorer, heat);
    assert.ok(data[RIGHT]! > 0.99 && data[LEFT]! < 1e-3);
    const half = (request: ScoreRequest) => (request.baseline === 'noise' ? 0.5 : spoken(0.18)(request));
    assert.equal(
      await looked(model(half).scorer, heat, { baselines: ['own', 'noise'] }),
      undefined,
      'mean of baselines',
    );
  });

  it('ask nothing and confirm nothing of a map without heat', async () => {
    const { scorer, asked } = model(() => 0.5);
    assert.equal(await looked(scorer, filledMask(SIZE, SIZE, 0)), undefined);
    assert.equal(asked.length, 0);
  });

  it('leave the map as it is where none are to be made', async () => {
    const { scorer, asked } = model(() => 0.5);
    const heat = hills(0.6, 1);
    assert.equal(await looked(scorer, heat, { spots: 0 }), heat);
    assert.equal(asked.length, 0);
  });

  it('look at discs that do not lie on each other’s centres, the hottest first', async () => {
    const { scorer, asked } = model(() => 0.5);
    await looked(scorer, hills(0.6, 1), { spots: 6 });
    const alone = asked.flat().filter((_, i) => i > 1 && i % 2 === 1);
    assert.equal(alone.length, 6);
    assert.equal(alone[0]!.mask.data[RIGHT], 1);
    assert.ok(alone[0]!.mask.data.reduce((sum, m) => sum + m, 0) < 30, 'a disc of radius 2 or so');
    const centres = alone.map(({ mask }) => centre(mask));
    centres.forEach(([y, x], i) =>
      centres.slice(0, i).forEach(([v, h]) => assert.ok(Math.hypot(y - v, x - h) > 1.5, 'two spots are one')),
    );
  });

  it('tell of their rounds, at most as many as foreseen, and stop between them', async () => {
    const options: SpotChecksOptions = { spots: 10, baselines: ['own', 'noise'] };
    const abort = new AbortController();
    let rounds = 0;
    const { scorer, asked } = model(() => 0.5);
    await spotChecked(scorer, ONE, hills(0.6, 1), options, { seed: 0 }, () => rounds++);
    assert.equal(asked.flat().length, 43);
    assert.equal(rounds, 3);
    assert.equal(checkRounds(options), 3);
    assert.equal(checkRounds({ ...options, spots: 0 }), 0);
    const stopped = spotChecked(scorer, ONE, hills(0.6, 1), options, { seed: 0, signal: abort.signal }, () =>
      abort.abort(),
    );
    await assert.rejects(stopped, AbortError);
    assert.equal(asked.length, 4, 'one round more than the three before');
  });
});

/** Centre of mass, in cells. */
function centre({ cols, data }: Mask): [number, number] {
  const total = data.reduce((sum, m) => sum + m, 0);
  const at = (place: (cell: number) => number) => data.reduce((sum, m, cell) => sum + m * place(cell), 0) / total;
  return [at((cell) => Math.floor(cell / cols)), at((cell) => cell % cols)];
}
