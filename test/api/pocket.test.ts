import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIME_TYPE, agreement, compare, explain, loadModel, selectTokens, shutdown } from '../../kernel/index.ts';
import { AbortError, LensError } from '../../kernel/errors.ts';

const scene = (file: string): string => fileURLToPath(new URL(`../evidence/${file}`, import.meta.url));

/** Two cows and a sign. */
const IMAGE = scene('000.png');
const QUESTION = 'What is in the picture?';
const ANSWER = 'There are two cows and a sign.';
/** Enough to go the whole way, little enough for a test. */
const QUICK = { name: 'igos+', iterations: 2, startedIterations: 1, integrationSteps: 1, firstSteps: 1, maskSize: 16 };

describe('the API on the embedded model', function () {
  this.timeout(300_000);
  after(shutdown);

  it('explains an answer: tokens, a joint map and one for each selected token, curves, metrics', async () => {
    const stages = new Set<string>();
    const e = await explain({
      image: IMAGE,
      question: QUESTION,
      answer: ANSWER,
      tokens: ['cows', 'sign'],
      method: QUICK,
      metrics: ['blur', 'black'],
      onProgress: ({ stage }) => stages.add(stage),
    });
    assert.equal(e.answer, ANSWER);
    assert.equal(e.tokens.map(({ text }) => text).join(''), ANSWER);
    assert.deepEqual(
      e.selected.map(({ text }) => text.trim()),
      ['cows', 'sign'],
    );
    assert.deepEqual(
      e.maps.map(({ role, rows, cols, data }) => [role, rows, cols, data.length]),
      [
        ['joint', 16, 16, 256],
        ['token', 16, 16, 256],
        ['token', 16, 16, 256],
      ],
    );
    assert.ok(e.map!.data.some((value) => value > 0));
    assert.deepEqual(
      e.curves.map(({ kind, baseline, x }) => [kind, baseline, x.at(-1)]),
      [
        ['deletion', 'blur', 1],
        ['insertion', 'blur', 1],
        ['deletion', 'black', 1],
        ['insertion', 'black', 1],
      ],
    );
    assert.deepEqual(Object.keys(e.metrics), ['deletion', 'insertion', 'deletion (black)', 'insertion (black)']);
    assert.deepEqual([...stages], ['joint map', 'token maps', 'curves']);
    const { versions, files, evaluations, seed } = e.provenance;
    assert.ok(versions['onnxruntime-node'] && versions.node);
    assert.match(files['onnx/vision_encoder.onnx']!, /^[0-9a-f]{64}$/);
    assert.equal(evaluations.gradient, 4 + 2 * 2);
    assert.equal(seed, 0);
  });

  it('gives the same maps for the same seed and others for another', async () => {
    const options = {
      image: IMAGE,
      question: QUESTION,
      answer: ANSWER,
      tokens: ['sign'],
      method: QUICK,
      metrics: false,
    } as const;
    const once = async (seed: number) => (await explain({ ...options, seed })).document.explanations[0]!.maps;
    const first = await once(3);
    assert.deepEqual(await once(3), first);
    assert.notDeepEqual(await once(4), first);
  });

  it('answers by itself, and selects no token where the question needs no image', async () => {
    const e = await explain({ image: IMAGE, question: 'What colour is a banana?', method: QUICK });
    assert.match(e.answer, /yellow/);
    assert.equal(e.explanation.answer.source, 'generated');
    assert.equal(e.dependsOnImage, false);
    assert.equal(e.map, undefined);
    assert.deepEqual(e.metrics, {});
  });

  it('says whether looking confirmed anything of a map', async () => {
    const options = { image: IMAGE, question: QUESTION, answer: ANSWER, metrics: false } as const;
    const about = (token: string, more: object = {}) => explain({ ...options, tokens: [token], ...more });
    assert.equal((await about('cows', { perToken: false })).map!.confirmed, true);
    const there = await about('There', { perToken: true });
    assert.deepEqual(
      there.maps.map(({ role, confirmed }) => [role, confirmed]),
      [
        ['joint', false],
        ['token', undefined],
      ],
      'nothing in the picture makes “There” any likelier',
    );
    assert.equal((await about('cows', { method: QUICK })).map!.confirmed, undefined, 'igos+ does not look');
  });

  it('selects tokens without a gradient', async () => {
    const s = await selectTokens({ image: IMAGE, question: QUESTION, answer: ANSWER });
    assert.equal(s.provenance.evaluations.gradient, 0);
    assert.ok(
      s.tokens.every(({ logp, logpBaseline, llr }) => logp <= 0 && Math.abs(llr - (logp - logpBaseline)) < 1e-6),
    );
    assert.equal(s.tokens.at(-1)!.reason, 'punctuation');
    assert.equal(s.tokens[0]!.reason, 'stop word');
  });

  it('takes the same picture as a path, a URL, bytes and pixels', async () => {
    const bytes = await readFile(IMAGE);
    const llr = async (image: string | URL | Uint8Array) =>
      (await selectTokens({ image, question: QUESTION, answer: ANSWER })).tokens.map((token) => token.llr);
    const fromPath = await llr(IMAGE);
    assert.deepEqual(await llr(bytes), fromPath);
    assert.deepEqual(await llr(new URL(`data:image/png;base64,${bytes.toString('base64')}`)), fromPath);
  });

  it('has quick alternatives', async () => {
    for (const method of ['grad-cam', { name: 'integrated-gradients', integrationSteps: 4 }]) {
      const e = await explain({
        image: IMAGE,
        question: QUESTION,
        answer: ANSWER,
        tokens: ['sign'],
        method,
        perToken: false,
        metrics: false,
      });
      assert.equal(e.maps.length, 1);
      assert.ok(e.map!.data.some((value) => value > 0));
      assert.ok(e.map!.data.every((value) => value >= 0 && Number.isFinite(value)));
    }
  });

  it('compares two answers: panels, their labels and how much their maps agree', async () => {
    const answers = ['There are two cows.', 'There is a sign.'];
    const c = await compare({
      image: IMAGE,
      question: QUESTION,
      answer: answers,
      tokens: 'all',
      method: 'grad-cam',
      perToken: false,
      metrics: false,
    });
    assert.equal(c.axis, 'answers');
    assert.equal(c.document.images.length, 1, 'one picture for both');
    assert.deepEqual(
      c.explanations.map(({ explanation }) => explanation.label),
      answers,
    );
    const [agreement] = c.agreement;
    assert.deepEqual([agreement!.a, agreement!.b], [0, 1]);
    assert.ok(Math.abs(agreement!.rankCorrelation) <= 1 && agreement!.iouTop20 >= 0 && agreement!.iouTop20 <= 1);
  });

  it('compares methods and images', async () => {
    const asked = { question: QUESTION, answer: ANSWER, tokens: ['sign'], perToken: false, metrics: false } as const;
    const methods = await compare({
      ...asked,
      image: IMAGE,
      method: ['grad-cam', { name: 'integrated-gradients', integrationSteps: 2 }],
    });
    assert.deepEqual(
      methods.explanations.map(({ explanation }) => explanation.label),
      ['grad-cam', 'integrated-gradients'],
    );
    const images = await compare({
      ...asked,
      image: [IMAGE, scene('001.png')],
      method: 'grad-cam',
      references: [['nothing', ANSWER], null],
    });
    assert.deepEqual(
      images.explanations.map(({ correct, focus }) => [correct, focus !== undefined && focus < 0.5]),
      [
        [true, true],
        [undefined, true],
      ],
    );
    assert.ok(images.agreement[0]!.earthMovers! > 0 && images.agreement[0]!.earthMovers! < 0.5);
    const [one, two] = images.explanations;
    const { a: _a, b: _b, ...measures } = images.agreement[0]!;
    const { a: _c, b: _d, ...again } = agreement(one!, two!)!;
    assert.deepEqual(again, measures);
    assert.throws(() => agreement(one!, {} as typeof one & object), /takes two explanations/);
    await assert.rejects(
      compare({ ...asked, image: [IMAGE, scene('001.png')], references: ['only one'] }),
      /"references" has 1 entries for 2 values of "image"/,
    );
    assert.deepEqual(
      images.explanations.map(({ explanation }) => explanation.label),
      ['000.png', '001.png'],
    );
    assert.equal(images.document.images.length, 2);
  });

  it('is interrupted in the middle, and the next call works', async () => {
    const controller = new AbortController();
    const run = explain({
      image: IMAGE,
      question: QUESTION,
      answer: ANSWER,
      tokens: ['sign'],
      method: { name: 'igos+', preset: 'paper' },
      signal: controller.signal,
      onProgress: ({ stage, step }) => {
        if (stage === 'joint map' && step === 1) controller.abort();
      },
    });
    await assert.rejects(run, AbortError);
    const next = await selectTokens({ image: IMAGE, question: QUESTION, answer: ANSWER });
    assert.equal(next.answer, ANSWER);
  });

  it('displays and saves itself', async () => {
    const e = await explain({
      image: IMAGE,
      question: QUESTION,
      answer: ANSWER,
      tokens: ['sign'],
      method: 'grad-cam',
      metrics: false,
    });
    const display = e[Symbol.for('Jupyter.display') as keyof typeof e] as unknown as () => Promise<
      Record<string, unknown>
    >;
    const bundle = await display.call(e);
    assert.deepEqual(Object.keys(bundle).sort(), [MIME_TYPE, 'image/png', 'text/markdown', 'text/plain'].sort());
    assert.deepEqual(JSON.parse(JSON.stringify(e)), JSON.parse(JSON.stringify(e.document)));
    const folder = await mkdtemp(path.join(tmpdir(), 'lvlm-lens-save-'));
    try {
      const json = await e.save(path.join(folder, 'e.json'));
      assert.deepEqual(JSON.parse(await readFile(json, 'utf8')), JSON.parse(JSON.stringify(e.document)));
      const png = await readFile(await e.save(path.join(folder, 'e.PNG')));
      assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
      assert.match(await readFile(await e.save(path.join(folder, 'e.md')), 'utf8'), /cows/);
      await assert.rejects(
        e.save(path.join(folder, 'e.gif')),
        /cannot save as .*e\.gif"\. The file's name must end in \.json, \.png/,
      );
      await assert.rejects(e.save(path.join(folder, 'none', 'e.json')), /cannot write .*none/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('loads a model by name and takes what it gave', async () => {
    const model = await loadModel('pocket');
    assert.equal(model.id, 'pocket');
    assert.ok(model.views.length > 0 && model.contextLength > 0);
    const s = await selectTokens({ model, image: IMAGE, question: QUESTION, answer: ANSWER });
    assert.equal(s.explanation.model.id, 'pocket');
  });

  describe('passes on what the engine refuses', () => {
    const refused = (call: Promise<unknown>, pattern: RegExp) =>
      assert.rejects(call, (error) => {
        assert.ok(error instanceof LensError, String(error));
        assert.match(error.message, pattern);
        return true;
      });

    it('a model that does not exist', () => refused(loadModel('poket'), /no model 'poket'.*'pocket'/));

    it('a picture that does not exist', () =>
      refused(selectTokens({ image: 'nowhere.png', question: QUESTION }), /cannot read the image ".*nowhere\.png"/));

    it('a word that the answer has not', () =>
      refused(
        explain({ image: IMAGE, question: QUESTION, answer: ANSWER, tokens: ['horse'] }),
        /does not contain "horse"\. Its words are: There, are, two, cows, and, a, sign/,
      ));

    it('a question that is longer than the context', () =>
      refused(explain({ image: IMAGE, question: 'What is left of the dog? '.repeat(200) }), /tokens/));
  });
});
