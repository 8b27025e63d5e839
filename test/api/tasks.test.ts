import assert from 'node:assert/strict';
import type { Mask, Progress } from '../../kernel/attribution/scorer.ts';
import { ExplainParams, SelectTokensParams } from '../../kernel/engine/tasks/question-params.ts';
import { explain } from '../../kernel/engine/tasks/explain.ts';
import { selectTokens } from '../../kernel/engine/tasks/select-tokens.ts';
import { AbortError, LensError } from '../../kernel/errors.ts';
import { decodedMap, encodedMap } from '../../kernel/saliency-bytes.ts';
import { pointingGame } from '../../kernel/metrics/pointing-game.ts';
import { cellsIn } from '../attribution/toy-scorer.ts';
import type { Region } from '../attribution/toy-scorer.ts';
import { CAT, DOG, toyCache, toyModel } from './toy-model.ts';

const image = { width: 60, height: 40, data: new Uint8Array(60 * 40 * 3).fill(128) };
const QUESTION = { image, question: 'What is left of the dog?' };

interface Run {
  readonly answer?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

const run = (options: object = {}, { answer, signal, onProgress }: Run = {}) =>
  explain.run({
    params: ExplainParams.parse({ ...QUESTION, ...options }),
    models: toyCache(toyModel(answer)),
    signal: signal ?? new AbortController().signal,
    onProgress: onProgress ?? (() => undefined),
  });

function pointsInto(map: Mask, region: Region): boolean {
  const data = new Uint8Array(100 * 100);
  for (const pixel of cellsIn(region, 100, 100)) data[pixel] = 1;
  return pointingGame(map, { height: 100, width: 100, data }) === 1;
}

describe('the explain task', () => {
  it('makes a joint map, one map for each selected token, and curves', async () => {
    const { explanation } = await run();
    const { answer, maps, curves, metrics, dependsOnImage } = explanation;
    assert.equal(dependsOnImage, true);
    assert.equal(answer.text, 'The cat is left of the dog.');
    assert.equal(answer.source, 'generated');
    assert.deepEqual(
      answer.tokens.filter(({ selected }) => selected).map(({ text }) => text),
      [' cat', ' dog'],
    );
    assert.deepEqual(
      maps.map(({ role, label, tokens }) => ({ role, label, tokens })),
      [
        { role: 'joint', label: 'cat, dog', tokens: [1, 6] },
        { role: 'token', label: 'cat', tokens: [1] },
        { role: 'token', label: 'dog', tokens: [6] },
      ],
    );
    const [, cat, dog] = maps.map(decodedMap);
    assert.ok(pointsInto(cat!, CAT) && pointsInto(dog!, DOG), 'each token map points at its object');
    assert.deepEqual(
      curves.map(({ kind, baseline }) => [kind, baseline]),
      [
        ['deletion', 'blur'],
        ['insertion', 'blur'],
      ],
    );
    const score = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
    assert.ok(score.deletion! < 0.3 && score.insertion! > 0.7, JSON.stringify(score));
  });

  it('records what is needed to make it again', async () => {
    const { explanation, image: shown } = await run({
      method: { name: 'igos+', preset: 'paper' },
      seed: 5,
      perToken: false,
      metrics: false,
    });
    const { provenance } = explanation;
    assert.equal(provenance.method, 'igos+');
    assert.equal(provenance.seed, 5);
    assert.deepEqual(provenance.files, { 'toy.onnx': 'abc' });
    assert.deepEqual(provenance.evaluations, { forward: 2, gradient: 100 });
    const { parameters } = provenance;
    assert.deepEqual(
      [parameters.preset, parameters.baseline, parameters.l3, parameters.tokens, parameters.perToken],
      ['paper', 'blur', 10, 'visual', false],
    );
    assert.match(provenance.imageHash, /^[0-9a-f]{64}$/);
    assert.deepEqual([shown.sourceWidth, shown.sourceHeight], [60, 40]);
  });

  it('draws no map where no token depends on the image', async () => {
    const { explanation } = await run({}, { answer: 'A banana is yellow.' });
    assert.equal(explanation.dependsOnImage, false);
    assert.deepEqual([explanation.maps, explanation.curves, explanation.metrics], [[], [], []]);
    assert.deepEqual(explanation.provenance.evaluations, { forward: 3, gradient: 0 }, 'the image, blur and black');
    const { baseline, baselineAsked } = explanation.provenance.parameters;
    assert.deepEqual([baseline, baselineAsked], ['blur', 'auto']);
  });

  it('tries no other baseline than the one named', async () => {
    const { explanation } = await run({ baseline: 'blur' }, { answer: 'A banana is yellow.' });
    assert.deepEqual(explanation.provenance.evaluations, { forward: 2, gradient: 0 });
  });

  it('falls back on black where blur leaves the answer as it is, and explains with black', async () => {
    const { explanation } = await run({ perToken: false }, { answer: 'The red.' });
    assert.equal(explanation.dependsOnImage, true);
    assert.equal(explanation.provenance.parameters.baseline, 'black');
    assert.deepEqual(
      explanation.answer.tokens.map(({ selected }) => selected),
      [false, true, false],
    );
    assert.deepEqual(
      explanation.curves.map(({ baseline }) => baseline),
      ['black', 'black'],
    );
    const asThePaper = await run({ method: 'igos+', preset: 'paper', perToken: false }, { answer: 'The red.' });
    assert.equal(asThePaper.explanation.dependsOnImage, false);
  });

  it('scores a given answer instead of the model’s own', async () => {
    const { explanation } = await run({ answer: 'It is a dog' });
    assert.deepEqual([explanation.answer.text, explanation.answer.source], ['It is a dog', 'given']);
    assert.deepEqual(
      explanation.maps.map(({ label }) => label),
      ['dog', 'dog'],
    );
    assert.deepEqual(
      explanation.maps[0]!.data,
      explanation.maps[1]!.data,
      'of one token the joint map is the token’s map',
    );
  });

  it('explains the tokens that the caller names', async () => {
    const { explanation } = await run({ tokens: ['dog'], perToken: false });
    assert.deepEqual(
      explanation.maps.map(({ tokens }) => tokens),
      [[6]],
    );
    assert.equal(explanation.answer.tokens[1]!.reason, 'not chosen');
    assert.ok(pointsInto(decodedMap(explanation.maps[0]!), DOG));
  });

  it('makes no more token maps than asked for', async () => {
    assert.equal((await run({ perToken: 1 })).explanation.maps.length, 2);
    assert.equal((await run({ perToken: 0 })).explanation.maps.length, 1);
  });

  it('measures with every baseline asked for, and says which', async () => {
    const { explanation } = await run({ metrics: ['blur', 'black'], perToken: false });
    assert.deepEqual(
      explanation.metrics.map(({ name }) => name),
      ['deletion', 'insertion', 'deletion (black)', 'insertion (black)'],
    );
  });

  it('gives the same maps for the same seed and others for another', async () => {
    const maps = async (seed: number) => (await run({ seed, method: 'igos+', preset: 'paper' })).explanation.maps;
    assert.deepEqual(await maps(1), await maps(1));
    assert.notDeepEqual(await maps(1), await maps(2));
  });

  it('reports answer, joint map, token maps and curves in turn, each to its end', async () => {
    const seen: Progress[] = [];
    await run({}, { onProgress: (progress) => seen.push(progress) });
    const stages = [...new Set(seen.map(({ stage }) => stage))];
    assert.deepEqual(stages, ['joint map', 'token maps', 'curves']);
    for (const stage of stages) {
      const steps = seen.filter((progress) => progress.stage === stage);
      assert.equal(steps.at(-1)!.step, steps.at(-1)!.steps);
    }
    assert.ok(seen.some(({ loss }) => Number.isFinite(loss)));
    assert.ok(seen.every(({ remainingMs }) => remainingMs !== undefined && remainingMs >= 0));
    assert.equal(seen.at(-1)!.remainingMs, 0);
    const jointDone = seen.find(({ stage, step, steps }) => stage === 'joint map' && step === steps);
    assert.ok(jointDone!.remainingMs! > 0, 'the time left is that of everything to come');
  });

  it('stops in the middle when asked to', async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const onProgress = ({ stage, step }: Progress) => {
      seen.push(stage);
      if (stage === 'token maps' && step === 1) controller.abort();
    };
    await assert.rejects(run({}, { signal: controller.signal, onProgress }), AbortError);
    assert.ok(!seen.includes('curves'));
  });

  it('refuses an answer without tokens', async () => {
    await assert.rejects(run({}, { answer: '' }), (error) => {
      assert.ok(error instanceof LensError);
      assert.match(error.message, /answers "What is left of the dog\?" with nothing/);
      return true;
    });
  });
});

describe('the selectTokens task', () => {
  it('says of each token whether it is selected and why, without a gradient', async () => {
    const { explanation } = await selectTokens.run({
      params: SelectTokensParams.parse(QUESTION),
      models: toyCache(),
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    assert.deepEqual(
      explanation.answer.tokens.map(({ reason }) => reason),
      ['stop word', 'visual', 'stop word', 'below threshold', 'stop word', 'stop word', 'visual', 'punctuation'],
    );
    assert.deepEqual(explanation.provenance.evaluations, { forward: 2, gradient: 0 });
    assert.deepEqual(explanation.maps, []);
  });
});

describe('maps as bytes', () => {
  it('keep their values to half a step of the scale', () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i) * 3 - 1);
    const map = encodedMap({ rows: 3, cols: 4, data });
    decodedMap(map).data.forEach((value, i) => assert.ok(Math.abs(value - data[i]!) <= map.scale * 0.501));
  });

  it('keep a flat map', () => {
    const map = encodedMap({ rows: 1, cols: 2, data: Float32Array.of(0.5, 0.5) });
    assert.deepEqual([...decodedMap(map).data], [0.5, 0.5]);
  });
});
