import assert from 'node:assert/strict';
import { picturePath, readEvidence, regionOf } from '../../bench/evidence.ts';
import type { Evidence, EvidenceScene } from '../../bench/evidence.ts';
import { evaluate, explain, ExplanationResult, LensError, shutdown } from '../../kernel/index.ts';

describe('evaluate()', function () {
  this.timeout(120_000);
  let evidence: Evidence;
  let scene: EvidenceScene;
  let result: ExplanationResult;
  before(async () => {
    evidence = await readEvidence();
    scene = evidence.scenes.find(({ kind }) => kind === 'reading')!;
    result = await explain({
      image: picturePath(scene),
      question: scene.question,
      perToken: false,
      metrics: ['black'],
    });
  });
  after(shutdown);

  it('measures with every baseline, flips the answer, and looks where the heat lies', async () => {
    const { means, count } = await evaluate(result, { truth: regionOf(scene, evidence, scene.evidence) });
    assert.equal(count, 1);
    for (const baseline of ['blur', 'black', 'mean', 'noise']) {
      for (const name of [
        'deletion',
        'insertion',
        'raw deletion',
        'raw insertion',
        'flips when deleted',
        'flips when kept',
      ]) {
        assert.ok(Number.isFinite(means[`${name} (${baseline})`]), `${name} (${baseline})`);
      }
    }
    assert.equal(means['flips when deleted (blur)'], 1, 'without the lettering it cannot be read');
    assert.equal(means['pointing game'], 1);
    assert.ok(means['IoU, best threshold']! >= means['IoU, Otsu']!);
  });

  it('measures as explain() does', async () => {
    const { means } = await evaluate(result, { baselines: ['black'] });
    assert.ok(Math.abs(means['deletion (black)']! - result.metrics['deletion (black)']!) < 0.02);
  });

  it('gives means with intervals over several, and counts those without a map', async () => {
    const blind = await explain({ image: picturePath(scene), question: 'What colour is a banana?' });
    const evaluation = await evaluate([result, result, blind], { baselines: ['blur'] });
    assert.equal(evaluation.count, 2);
    assert.equal(evaluation.each[2], null);
    const insertion = evaluation.measures.find(({ name }) => name === 'insertion (blur)')!;
    assert.equal(insertion.count, 2);
    assert.ok(insertion.interval && insertion.interval[0] <= insertion.mean && insertion.mean <= insertion.interval[1]);
    const shown = evaluation[Symbol.for('Jupyter.display') as never] as () => Record<string, string>;
    assert.match(
      shown.call(evaluation)['text/markdown']!,
      /2 maps; 1 answer does not depend on the image and has none/,
    );
  });

  it('needs the picture that was explained', async () => {
    const read = new ExplanationResult(
      JSON.parse(JSON.stringify(result)) as ConstructorParameters<typeof ExplanationResult>[0],
    );
    const refused = (options: Parameters<typeof evaluate>[1], message: RegExp) =>
      assert.rejects(evaluate(read, { baselines: ['black'], ...options }), (error) => {
        assert.ok(error instanceof LensError);
        assert.match(error.message, message);
        return true;
      });
    await refused({}, /does not know its picture.*"image"/);
    const other = evidence.scenes.find(({ file }) => file !== scene.file)!;
    await refused({ image: picturePath(other) }, /not the picture that was explained/);
    assert.equal((await evaluate(read, { baselines: ['black'], image: picturePath(scene) })).count, 1);
  });

  it('checks that the map stays with another seed and a moved picture, and goes with the weights', async () => {
    const { means, measures, milliseconds } = await evaluate(result, {
      baselines: ['black'],
      steps: 4,
      checks: ['seed', 'shift', 'weights'],
    });
    assert.ok(milliseconds!.mean > 0);
    assert.ok(!('milliseconds' in means), 'the measures are the same each time');
    assert.ok(means['seed stability']! > 0.5 && means['shift stability']! > 0.5, JSON.stringify(means));
    assert.ok(means['seed stability']! < 1, 'another seed makes another map');
    assert.ok(means['untrained likeness']! < means['seed stability']!, JSON.stringify(means));
    assert.equal(measures.find(({ name }) => name === 'untrained likeness')!.better, 'lower');
    assert.equal(means['gradient evaluations'], result.provenance.evaluations.gradient);
  });

  it('compares the maps of words with what the words name', async () => {
    const words = scene.words.map(({ start, end, objects }) => ({
      start,
      end,
      truth: regionOf(scene, evidence, objects),
    }));
    const options = { image: picturePath(scene), question: scene.question, metrics: false } as const;
    const all = await explain({ ...options, tokens: 'all', method: 'input-x-gradient' });
    assert.equal(all.answer.trim(), scene.answer);
    const { means } = await evaluate(all, { words, baselines: ['black'], steps: 4 });
    for (const name of ['Obj-IoU', 'Func-IoU', 'F1-IoU']) {
      assert.ok(means[name]! > 0 && means[name]! <= 1, `${name} ${means[name]}`);
    }
    await assert.rejects(evaluate(result, { words, baselines: ['black'], steps: 4 }), /needs maps of single tokens/);
  });

  it('refuses what is no explanation', async () => {
    await assert.rejects(evaluate({} as ExplanationResult), /takes an explanation or a list/);
    await assert.rejects(evaluate(result, { truth: [] }), /"truth" has 0 entries for 1/);
  });
});
