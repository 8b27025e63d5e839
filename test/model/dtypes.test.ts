import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { LensError } from '../../kernel/errors.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { Picture } from '../../kernel/image/picture.ts';
import type { LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { parseReference, referenceText } from '../../kernel/model/reference.ts';

const at = (name: string) => fileURLToPath(new URL(`../reference/${name}`, import.meta.url));
const QUESTION = 'What is in the picture?';
const MASK = { rows: 8, cols: 8, data: new Float32Array(64).fill(1) };

describe('a model’s data types in its name', () => {
  it('are written as they are read', () => {
    for (const dtype of [
      'q4',
      { decoder_model_merged: 'q4' },
      { vision_encoder: 'fp16', embed_tokens: 'fp32' },
    ] as const) {
      assert.deepEqual(parseReference(referenceText('some/folder', dtype)), { model: 'some/folder', dtype });
    }
    assert.deepEqual(parseReference('pocket'), { model: 'pocket' });
    assert.throws(() => parseReference('#q4'), /names no model/);
  });
});

describe('a model in 8 bits', function () {
  this.timeout(60_000);
  let picture: Picture;
  let full: LoadedModel;
  const opened: LoadedModel[] = [];
  const open = async (reference: string) => {
    const model = await openModel(reference);
    opened.push(model);
    return model;
  };

  before(async () => {
    picture = await decodeImage(at('pictures/landscape.png'));
    full = await open(at('llava'));
  });
  after(() => Promise.all(opened.map((model) => model.release())));

  for (const graph of ['vision_encoder', 'decoder_model_merged'] as const) {
    it(`answers, nearly as in full: ${graph}`, async () => {
      const model = await open(`${at('llava')}#${graph}=q8`);
      assert.equal(model.info.dtypes[graph], 'q8');
      const [here, there] = await Promise.all(
        [model, full].map((each) => each.answer(picture, QUESTION, { maxNewTokens: 3 })),
      );
      assert.equal(here!.tokens.length, 3);
      const difference = Math.abs(here!.logp[0]! - there!.logp[0]!);
      assert.ok(difference > 0 && difference < 0.5, `log p differs by ${difference}`);
    });

    it(`is scored without a gradient; with one it says why not and what to take: ${graph}`, async () => {
      const model = await open(`${at('llava')}#${graph}=q8`);
      const ids = (await model.answer(picture, QUESTION, { maxNewTokens: 3 })).tokens.map(({ id }) => id);
      const scorer = await model.scorer(picture, QUESTION, ids);
      const [logp] = await scorer.logp([{ mask: MASK }]);
      assert.ok(logp!.every((value) => value < 0 && Number.isFinite(value)));
      const weights = new Float32Array(3).fill(1);
      await assert.rejects(scorer.gradient([{ mask: MASK, weights }]), (error: Error) => {
        assert.ok(error instanceof LensError);
        assert.match(error.message, /rounds its activations to 8-bit .* can answer but not be explained/);
        assert.match(error.message, new RegExp(`Take the fp32, fp16 or q4 file .*${graph}_fp16\\.onnx`));
        return true;
      });
    });
  }
});
