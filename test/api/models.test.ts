import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { LensError } from '../../kernel/errors.ts';
import { compare, explain, loadModel, shutdown } from '../../kernel/index.ts';

const at = (name: string) => fileURLToPath(new URL(`../reference/${name}`, import.meta.url));
const IMAGE = at('pictures/landscape.png');
const QUESTION = 'What is in the picture?';
/** Enough to go the whole way, little enough for a test. */
const QUICK = { name: 'igos+', iterations: 1, startedIterations: 1, integrationSteps: 1, firstSteps: 1, maskSize: 16 };
const SHORT = { question: QUESTION, tokens: 'all', maxNewTokens: 3, perToken: false } as const;

/** Tiny checkpoints of other families, through everything that a user calls. */
describe('the API on model folders', function () {
  this.timeout(120_000);
  after(shutdown);

  it('loads a folder and says what the model sees', async () => {
    const model = await loadModel(at('smolvlm'));
    assert.equal(model.id, 'smolvlm');
    assert.equal(model.type, 'idefics3');
    assert.equal(model.views.length, 10);
    assert.deepEqual(model.views[0], { name: 'tile 1, 1', height: 32, width: 32, rows: 4, cols: 4 });
    assert.deepEqual(model.dtypes, { vision_encoder: 'fp32', embed_tokens: 'fp32', decoder_model_merged: 'fp32' });
  });

  for (const name of ['smolvlm', 'llava_onevision']) {
    it(`explains with tiles: ${name}`, async () => {
      const model = await loadModel(at(name));
      const e = await explain({ ...SHORT, image: IMAGE, model, method: QUICK });
      assert.equal(e.tokens.length, 3);
      assert.deepEqual([e.map!.rows, e.map!.cols], [16, 16]);
      assert.ok(e.map!.data.some((value) => value > 0));
      assert.ok(Number.isFinite(e.metrics.deletion));
      assert.equal(e.provenance.parameters.maskSize, 16);
      assert.ok('onnx/vision_encoder.onnx' in e.provenance.files);
    });

    it(`finds what alone is there: ${name}`, async () => {
      // Black, with one bright square in the lower right.
      const [width, height, side] = [120, 80, 16];
      const data = new Uint8Array(width * height * 3);
      for (let y = 50; y < 50 + side; y++) data.fill(255, (y * width + 80) * 3, (y * width + 80 + side) * 3);
      for (const method of ['input-x-gradient', 'occlusion']) {
        const image = { data, width, height };
        const e = await explain({ ...SHORT, image, model: at(name), baseline: 'black', method, metrics: false });
        const { rows, cols, data: saliency } = e.map!;
        const best = saliency.indexOf(Math.max(...saliency));
        assert.ok(saliency[best]! > 0);
        const [y, x] = [((Math.floor(best / cols) + 0.5) / rows) * height, (((best % cols) + 0.5) / cols) * width];
        const cell = Math.max(width / cols, height / rows);
        const inside = (value: number, start: number) => value > start - cell && value < start + side + cell;
        assert.ok(inside(x, 80) && inside(y, 50), `${method}: the maximum is at ${x}, ${y}`);
      }
    });
  }

  it('compares models', async () => {
    const models = [at('llava'), at('llava_onevision')];
    const e = await compare({ ...SHORT, image: IMAGE, model: models, method: 'grad-cam', metrics: false });
    const { explanations, axis, agreement } = e.document;
    assert.equal(axis, 'models');
    assert.deepEqual(
      explanations.map(({ label }) => label),
      ['llava', 'llava_onevision'],
    );
    assert.notEqual(explanations[0]!.answer.text, explanations[1]!.answer.text);
    assert.equal(agreement!.length, 1);
  });

  it('compares data types; 8 bits can be asked in another way than by gradients', async () => {
    const folder = at('llava');
    const full = await explain({ ...SHORT, image: IMAGE, model: folder, method: 'occlusion', metrics: false });
    const model = [folder, `${folder}#decoder_model_merged=q8`];
    const options = { ...SHORT, image: IMAGE, model, answer: full.answer, metrics: false } as const;
    const { explanations, agreement } = (await compare({ ...options, method: 'occlusion' })).document;
    assert.deepEqual(
      explanations.map(({ label }) => label),
      ['llava', 'llava#decoder_model_merged=q8'],
    );
    assert.ok(agreement![0]!.rankCorrelation! > 0.5, 'nearly the same model');
    await assert.rejects(compare({ ...options, method: QUICK }), /can answer but not be explained .*Take the fp32/);
  });

  it('loads the data types asked for', async () => {
    const model = await loadModel(at('llava'), { dtype: { decoder_model_merged: 'q8' } });
    assert.equal(model.id, 'llava#decoder_model_merged=q8');
    assert.equal(model.dtypes.decoder_model_merged, 'q8');
    const e = await explain({ ...SHORT, image: IMAGE, model, method: 'occlusion', metrics: false });
    assert.ok('onnx/decoder_model_merged_quantized.onnx' in e.provenance.files);
    await assert.rejects(loadModel(at('llava'), { dtype: 'q4' }), (error: Error) => {
      assert.ok(error instanceof LensError);
      assert.match(error.message, /has no vision_encoder in q4\. It has fp32 .*, q8 /);
      return true;
    });
  });
});
