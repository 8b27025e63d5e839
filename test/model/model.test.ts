import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { AbortError, LensError } from '../../kernel/errors.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { Picture } from '../../kernel/image/picture.ts';
import { seededRandom } from '../../kernel/image/random.ts';
import type { AnswerScorer, GeneratedAnswer, LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { fileHash } from '../../kernel/model/provenance.ts';
import { BATCH } from '../../kernel/model/scorer.ts';

const QUESTION = 'Describe the picture.';

function randomMask(rows: number, cols: number, seed: number): Mask {
  const { uniform } = seededRandom(seed);
  return { rows, cols, data: Float32Array.from({ length: rows * cols }, () => 0.2 + 0.6 * uniform()) };
}

function constantMask(value: number): Mask {
  return { rows: 8, cols: 8, data: new Float32Array(64).fill(value) };
}

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what = 'values'): void {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(
      Math.abs(actual[i]! - expected[i]!) <= tolerance,
      `${what}: ${actual[i]} is not ${expected[i]} (at ${i})`,
    );
  }
}

const total = (logp: Float32Array, weights: Float32Array) =>
  logp.reduce((sum, value, t) => sum + value * weights[t]!, 0);

const sum = (logp: Float32Array) => logp.reduce((a, b) => a + b, 0);

describe('pocket', function () {
  this.timeout(120_000);
  let model: LoadedModel;
  let picture: Picture;
  let answer: GeneratedAnswer;
  let ids: number[];
  let cache: string;
  const cacheBefore = process.env.LVLM_LENS_CACHE;

  before(async () => {
    cache = await mkdtemp(path.join(os.tmpdir(), 'lens-cache-'));
    process.env.LVLM_LENS_CACHE = cache;
    const { uniform } = seededRandom(1);
    // Coarse colours, wider than high: nothing in it is symmetric.
    const blocks = Array.from({ length: 7 * 5 * 3 }, () => Math.floor(uniform() * 256));
    const data = Uint8Array.from({ length: 112 * 80 * 3 }, (_, i) => {
      const [c, x, y] = [i % 3, Math.floor(i / 3) % 112, Math.floor(i / 336)];
      return blocks[(Math.floor(y / 16) * 7 + Math.floor(x / 16)) * 3 + c]!;
    });
    picture = await decodeImage({ data, width: 112, height: 80 });
    model = await openModel('pocket');
    answer = await model.answer(picture, QUESTION, { maxNewTokens: 9 });
    ids = answer.tokens.map(({ id }) => id);
  });
  after(async () => {
    await model.release();
    if (cacheBefore === undefined) delete process.env.LVLM_LENS_CACHE;
    else process.env.LVLM_LENS_CACHE = cacheBefore;
    await rm(cache, { recursive: true });
  });

  describe('answers', () => {
    it('greedily: no other token is likelier, step by step', async () => {
      assert.ok(ids.length > 0);
      for (const [t, id] of ids.entries()) {
        const others = [id, (id + 1) % 897, (id + 400) % 897];
        const scores = await Promise.all(
          others.map(async (other) => {
            const scorer = await model.scorer(picture, QUESTION, [...ids.slice(0, t), other]);
            return (await scorer.logp([{ mask: constantMask(1) }]))[0]![t]!;
          }),
        );
        assert.ok(scores[0]! > scores[1]! && scores[0]! > scores[2]!, scores.join());
        if (t === 1) break;
      }
    });

    it('with spans that make up the text', () => {
      assert.equal(answer.tokens.map(({ text }) => text).join(''), answer.text);
      assert.equal(answer.logp.length, answer.tokens.length);
      assert.ok(answer.logp.every((value) => value <= 0));
    });

    it('the same each time, and no longer than asked', async () => {
      const again = await model.answer(picture, QUESTION, { maxNewTokens: 2 });
      assert.deepEqual(
        again.tokens.map(({ id }) => id),
        ids.slice(0, 2),
      );
      assert.equal(again.stopped, ids.length > 2 ? 'length' : again.stopped);
    });

    it('until it is aborted', async () => {
      const controller = new AbortController();
      let steps = 0;
      const onToken = (count: number) => {
        steps = count;
        if (count === 1) controller.abort();
      };
      await assert.rejects(
        model.answer(picture, QUESTION, { signal: controller.signal, onToken }),
        (error: Error) => error instanceof AbortError,
      );
      assert.equal(steps, 1);
    });

    const refused = (question: string, message: RegExp) =>
      assert.rejects(model.answer(picture, question), (error: Error) => {
        assert.ok(error instanceof LensError);
        assert.match(error.message, message);
        return true;
      });
    it('no empty question', () => refused(' \n', /^the question is empty/));
    it('no question longer than the context', () =>
      refused(
        'dog '.repeat(500),
        /^the question is too long: with the image it takes 6\d\d tokens, and the model holds 512/,
      ));
    it('no question that holds a special token', () => refused('What is <image>?', /the question holds '<image>'/));
  });

  describe('scores', () => {
    let scorer: AnswerScorer;
    let weights: Float32Array;
    before(async () => {
      scorer = await model.scorer(picture, QUESTION, ids);
      weights = Float32Array.from(ids, (_, t) => 1 / (1 + t));
    });

    it("the whole image with generation's own log p", async () => {
      const [logp] = await scorer.logp([{ mask: constantMask(1) }]);
      near(logp!, answer.logp, 2e-5, 'log p');
      assert.equal(scorer.tokenCount, ids.length);
    });

    it('an answer given as text as the same tokens', async () => {
      const given = await model.scorer(picture, QUESTION, 'A dog is left of the cat.');
      assert.deepEqual(given.answer, model.tokens('A dog is left of the cat.'));
      assert.equal(given.answer.text, 'A dog is left of the cat.');
      assert.equal(given.answer.tokens[1]!.text, ' dog');
    });

    it('the mask 0 as the baseline, whatever the image', async () => {
      const grey = await decodeImage({ data: new Uint8Array(112 * 80 * 3), width: 112, height: 80 });
      const black = await model.scorer(grey, QUESTION, ids);
      const [a] = await scorer.logp([{ mask: constantMask(0), baseline: 'black' }]);
      const [b] = await black.logp([{ mask: constantMask(1) }]);
      near(a!, b!, 2e-5);
      const names = ['blur', 'black', 'mean', 'noise'] as const;
      const scores = await scorer.logp(names.map((baseline) => ({ mask: constantMask(0), baseline })));
      const distinct = new Set(scores.map((logp) => sum(logp).toFixed(4)));
      assert.equal(distinct.size, 4, [...distinct].join());
      const [byDefault] = await scorer.logp([{ mask: constantMask(0) }]);
      near(byDefault!, scores[0]!, 1e-6, 'blur is the default');
    });

    it('the noise baseline by the seed', async () => {
      const request = [{ mask: constantMask(0), baseline: 'noise' }] as const;
      const [first, same, other] = await Promise.all(
        [1, 1, 2].map(async (seed) => (await (await model.scorer(picture, QUESTION, ids, { seed })).logp(request))[0]!),
      );
      near(same!, first!, 0);
      assert.notEqual(sum(other!), sum(first!));
    });

    it('with the gradient that finite differences show, with and without noise, of log p and of odds', async () => {
      for (const [noise, odds] of [
        [undefined, 0],
        [{ sigma: 0.2, seed: 5 }, 0],
        [undefined, 0.9],
      ] as const) {
        const score = (logp: Float32Array) =>
          total(
            logp.map((value) => value - Math.log1p(-odds * Math.exp(value))),
            weights,
          );
        const mask = randomMask(6, 9, 2);
        const extra = noise === undefined ? {} : { noise };
        const [result] = await scorer.gradient([{ mask, weights, odds, ...extra }]);
        const { gradient, logp } = result!;
        assert.deepEqual([gradient.rows, gradient.cols, gradient.data.length], [6, 9, 54]);
        const { normal } = seededRandom(3);
        for (let trial = 0; trial < 3; trial++) {
          const direction = Float32Array.from({ length: 54 }, normal);
          const moved = (step: number) => ({
            mask: { ...mask, data: mask.data.map((value, i) => value + step * direction[i]!) },
            ...extra,
          });
          const step = 0.01;
          const [up, down] = await scorer.logp([moved(step), moved(-step)]);
          const measured = (score(up!) - score(down!)) / (2 * step);
          const computed = gradient.data.reduce((sum, value, i) => sum + value * direction[i]!, 0);
          const size = Math.hypot(...gradient.data) * Math.hypot(...direction);
          assert.ok(Math.abs(measured - computed) < 0.01 * size, `${measured} measured, ${computed} computed`);
        }
        const [alone] = await scorer.logp([{ mask, ...extra }]);
        near(logp, alone!, 2e-5, 'log p beside the gradient');
      }
    });

    it('many requests as it would one by one, whatever the batch', async () => {
      const count = 2 * BATCH + 1;
      const requests = Array.from({ length: count }, (_, i) => ({
        mask: randomMask(8, 8, i),
        weights: weights.map((value) => value * (i + 1)),
        baseline: i % 3 === 0 ? ('mean' as const) : ('blur' as const),
        noise: { sigma: 0.1, seed: i },
      }));
      const before = { ...scorer.evaluations };
      const together = await scorer.gradient(requests);
      for (const [i, request] of requests.entries()) {
        const [alone] = await scorer.gradient([request]);
        near(together[i]!.logp, alone!.logp, 2e-5, `log p of ${i}`);
        const scale = Math.hypot(...alone!.gradient.data);
        near(together[i]!.gradient.data, alone!.gradient.data, 1e-4 * scale, `gradient of ${i}`);
      }
      assert.equal(scorer.evaluations.gradient - before.gradient, 2 * count);
      assert.equal(scorer.evaluations.forward, before.forward);
    });

    it('noise by its seed and its size', async () => {
      const mask = constantMask(1);
      const noisy = (sigma: number, seed: number) => ({ mask, noise: { sigma, seed } });
      const [none, zero, one, again, other] = await scorer.logp([
        { mask },
        noisy(0, 1),
        noisy(0.3, 1),
        noisy(0.3, 1),
        noisy(0.3, 2),
      ]);
      near(zero!, none!, 1e-6);
      near(again!, one!, 1e-6);
      assert.notEqual(sum(one!), sum(none!));
      assert.notEqual(sum(one!), sum(other!));
    });

    it('the features, with the gradient that finite differences show in the pixels', async () => {
      const [view] = await scorer.featureGradient(weights);
      assert.deepEqual([view!.rows, view!.cols, view!.features.length], [12, 12, 144 * view!.channels]);
      assert.deepEqual(view!.window, [0, 0, 1, 1]);
      // Along a change of the image's features that a slightly fainter image makes: ⟨gradient, Δfeatures⟩ ≈ Δscore.
      const change = 0.004;
      const fainter = await decodeImage({
        data: picture.data.map((value) => Math.round(value * (1 - change) + 127.5 * change)),
        width: 112,
        height: 80,
      });
      const moved = await model.scorer(fainter, QUESTION, ids);
      const [after] = await moved.featureGradient(weights);
      const [[here], [there]] = await Promise.all([
        scorer.logp([{ mask: constantMask(1) }]),
        moved.logp([{ mask: constantMask(1) }]),
      ]);
      let predicted = 0;
      for (let i = 0; i < view!.features.length; i++) {
        predicted += ((view!.gradient[i]! + after!.gradient[i]!) / 2) * (after!.features[i]! - view!.features[i]!);
      }
      const measured = total(there!, weights) - total(here!, weights);
      assert.ok(Math.abs(predicted - measured) < 0.02 * Math.abs(measured) + 1e-4, `${predicted} against ${measured}`);
    });

    it('until it is aborted', async () => {
      const controller = new AbortController();
      const aborted = await model.scorer(picture, QUESTION, ids, { signal: controller.signal });
      controller.abort();
      await assert.rejects(aborted.logp([{ mask: constantMask(1) }]), (error: Error) => error instanceof AbortError);
    });

    it('no answer that is empty or too long', async () => {
      await assert.rejects(model.scorer(picture, QUESTION, ' '), /LensError: the answer is empty/);
      await assert.rejects(model.scorer(picture, QUESTION, []), /LensError: the answer has no tokens/);
      await assert.rejects(
        model.scorer(picture, QUESTION, 'dog '.repeat(600)),
        /LensError: the answer is too long: it has \d+ tokens, and the context has room for \d+/,
      );
    });

    it('an answer that fills the context to its end', async () => {
      const prompt = 512 - Number(/room for (\d+)/.exec(await tooLong())![1]);
      const longest = new Array<number>(512 - prompt).fill(ids[0]!);
      const full = await model.scorer(picture, QUESTION, longest);
      const [logp] = await full.logp([{ mask: constantMask(1) }]);
      assert.equal(logp!.length, 512 - prompt);
      assert.ok(logp!.every(Number.isFinite));
      near(logp!.slice(0, 1), answer.logp.slice(0, 1), 2e-5);
    });
    const tooLong = () =>
      model.scorer(picture, QUESTION, 'dog '.repeat(600)).then(
        () => '',
        (error: Error) => error.message,
      );
  });

  describe('keeps', () => {
    it('built graphs on disk, small, and builds a damaged one again', async () => {
      const folder = path.join(cache, 'graphs');
      const graphs = await readdir(folder);
      assert.ok(graphs.length > 0);
      for (const name of graphs) {
        const { size } = await stat(path.join(folder, name));
        assert.ok(size < 2_000_000, `${name}: ${size} bytes`);
        await writeFile(path.join(folder, name), 'damaged');
      }
      const other = await openModel('pocket');
      const scorer = await other.scorer(picture, QUESTION, ids);
      const [logp] = await scorer.logp([{ mask: constantMask(1) }]);
      near(logp!, answer.logp, 2e-5);
      await other.release();
      const sizes = await Promise.all(graphs.map(async (name) => (await stat(path.join(folder, name))).size));
      assert.equal(sizes.filter((size) => size > 1000).length, 1);
      assert.equal((await readdir(folder)).length, graphs.length, 'no other file was made');
    });

    it('hashes of files until they change', async () => {
      const file = path.join(cache, 'some.txt');
      await writeFile(file, 'abc');
      assert.equal(await fileHash(file), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
      await writeFile(file, 'abcd');
      assert.match(await fileHash(file), /^88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589$/);
    });
  });
});
