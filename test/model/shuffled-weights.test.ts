import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LensError } from '../../kernel/errors.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import { modelFolder } from '../../kernel/model/files.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { shuffleWeights } from '../../kernel/model/shuffled-weights.ts';
import { constantValues, isReference, readGraph } from '../../kernel/onnx/index.ts';

const pocket = modelFolder('pocket');

describe('a model with its weights shuffled', function () {
  this.timeout(120_000);
  const folders: string[] = [];
  const fresh = () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'lvlm-lens-test-'));
    folders.push(folder);
    return folder;
  };
  after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  const weightsIn = (folder: string, graph: string) =>
    [...readGraph(path.join(folder, 'onnx', `${graph}.onnx`)).constants].filter(
      ([, constant]) => isReference(constant) && constant.dims.length > 1,
    );

  it('has the same values of each weight in another order, and everything else as it was', async () => {
    const to = fresh();
    const count = await shuffleWeights(pocket, to, { seed: 1 });
    assert.ok(count >= 38, `${count} tensors`);
    for (const name of ['config.json', 'tokenizer.json']) {
      assert.deepEqual(readFileSync(path.join(to, name)), readFileSync(path.join(pocket, name)));
    }
    let moved = 0;
    for (const graph of ['vision_encoder', 'embed_tokens', 'decoder_model_merged']) {
      const [before, after] = [new Map(weightsIn(pocket, graph)), new Map(weightsIn(to, graph))];
      assert.deepEqual([...before.keys()], [...after.keys()]);
      for (const [name, constant] of before) {
        const [one, two] = [constantValues(constant), constantValues(after.get(name)!)];
        if (one.some((value, i) => value !== two[i])) moved++;
        assert.deepEqual(one.sort(), two.sort(), `${name} lost values`);
      }
    }
    assert.equal(moved, count);
  });

  it('can be opened, and no longer knows anything', async () => {
    const to = fresh();
    await shuffleWeights(pocket, to);
    const model = await openModel(to);
    const picture = await decodeImage(path.resolve('test/evidence/000.png'));
    const { text } = await model.answer(picture, 'What is in the picture?', { maxNewTokens: 8 });
    await model.release();
    assert.notEqual(text.trim(), 'There are two cows and a sign.');
  });

  it('is the same for the same seed', async () => {
    const [a, b, c] = [fresh(), fresh(), fresh()];
    await shuffleWeights(pocket, a, { seed: 3 });
    await shuffleWeights(pocket, b, { seed: 3 });
    await shuffleWeights(pocket, c, { seed: 4 });
    const file = path.join('onnx', 'embed_tokens.onnx');
    assert.deepEqual(readFileSync(path.join(a, file)), readFileSync(path.join(b, file)));
    assert.notDeepEqual(readFileSync(path.join(a, file)), readFileSync(path.join(c, file)));
  });

  it('is refused where no weights are found', async () => {
    const source = fresh();
    cpSync(pocket, source, { recursive: true });
    // A graph whose only operator takes no weights.
    const embed = readFileSync(path.join(source, 'onnx', 'embed_tokens.onnx')).toString('latin1');
    writeFileSync(path.join(source, 'onnx', 'embed_tokens.onnx'), embed.replaceAll('Gather', 'Gothar'), 'latin1');
    await assert.rejects(shuffleWeights(source, fresh()), (error) => {
      assert.ok(error instanceof LensError);
      assert.match(error.message, /no weights were found in embed_tokens/);
      return true;
    });
  });
});
