import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LensError } from '../../kernel/errors.ts';
import type { DtypeChoice } from '../../kernel/hub/index.ts';
import { embeddedFolder, embeddedModels } from '../../kernel/model/embedded.ts';
import { readModelFiles } from '../../kernel/model/files.ts';
import { openModel } from '../../kernel/model/open-model.ts';

describe('a model folder', () => {
  let parent: string;
  let count = 0;
  before(async () => {
    parent = await mkdtemp(path.join(os.tmpdir(), 'lens-model-'));
  });
  after(() => rm(parent, { recursive: true }));

  /** A copy of pocket under a path with a space, to be damaged. */
  async function copy(): Promise<string> {
    const folder = path.join(parent, `copy ${count++}`);
    await cp(embeddedFolder('pocket')!, folder, { recursive: true });
    return folder;
  }

  async function edit(file: string, change: (json: Record<string, unknown>) => void): Promise<void> {
    const json = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    change(json);
    await writeFile(file, JSON.stringify(json));
  }

  async function refused(folder: string, message: RegExp): Promise<void> {
    await assert.rejects(openModel(folder), (error: Error) => {
      assert.ok(error instanceof LensError, `${error.name}: ${error.message}`);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }

  it('opens by path as by name', async () => {
    const folder = await copy();
    const model = await openModel(folder);
    assert.equal(model.info.id, path.basename(folder));
    assert.equal(model.info.type, 'llava');
    assert.deepEqual(model.info.views, [{ name: 'image', height: 96, width: 96, rows: 12, cols: 12 }]);
    await model.release();
    assert.ok(embeddedModels().includes('pocket'));
  });

  it('lists what it read, weights beside a graph included', async () => {
    const folder = await copy();
    await writeFile(path.join(folder, 'onnx/embed_tokens.onnx_data'), '');
    const { names } = await readModelFiles(folder);
    assert.ok(names.includes('onnx/embed_tokens.onnx_data') && names.includes('tokenizer.json'));
  });

  it('takes a smaller data type where the full one is missing', async () => {
    const folder = await copy();
    const at = (name: string) => path.join(folder, 'onnx', name);
    await rename(at('embed_tokens.onnx'), at('embed_tokens_fp16.onnx'));
    assert.equal((await readModelFiles(folder)).graphs.embed_tokens, at('embed_tokens_fp16.onnx'));
  });

  it('takes the data types that are asked for', async () => {
    const folder = await copy();
    const at = (name: string) => path.join(folder, 'onnx', name);
    await cp(at('decoder_model_merged.onnx'), at('decoder_model_merged_q4.onnx'));
    const chosen = async (dtype?: DtypeChoice) => (await readModelFiles(folder, dtype)).dtypes;
    const full = { vision_encoder: 'fp32', embed_tokens: 'fp32', decoder_model_merged: 'fp32' };
    assert.deepEqual(await chosen(), full);
    assert.deepEqual(await chosen({ decoder_model_merged: 'q4' }), { ...full, decoder_model_merged: 'q4' });
    const model = await openModel(`${folder}#decoder_model_merged=q4`);
    assert.deepEqual(model.info.dtypes, { ...full, decoder_model_merged: 'q4' });
    assert.equal(model.info.id, `${path.basename(folder)}#decoder_model_merged=q4`);
    assert.ok('onnx/decoder_model_merged_q4.onnx' in (await model.provenance()).files);
    await model.release();
  });

  it('has its chat template in any of its places', async () => {
    const folder = await copy();
    const { chatTemplate } = await readModelFiles(folder);
    await edit(path.join(folder, 'tokenizer_config.json'), (json) => delete json.chat_template);
    await refused(folder, /has no chat template\. Add chat_template\.jinja/);
    await writeFile(path.join(folder, 'chat_template.json'), JSON.stringify({ chat_template: chatTemplate }));
    assert.equal((await readModelFiles(folder)).chatTemplate, chatTemplate);
    await writeFile(path.join(folder, 'chat_template.jinja'), 'first');
    assert.equal((await readModelFiles(folder)).chatTemplate, 'first');
  });

  it('unknown: says what there is', () =>
    refused(
      'pockett',
      /^there is no model 'pockett': it is neither an embedded model nor a folder\. Embedded: .*'pocket'/,
    ));

  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'preprocessor_config.json']) {
    it(`without ${name}`, async () => {
      const folder = await copy();
      await rm(path.join(folder, name));
      await refused(folder, new RegExp(`has no ${name.replace('.', '\\.')}\\. Download`));
    });
    it(`with ${name} cut off`, async () => {
      const folder = await copy();
      await truncate(path.join(folder, name), 100);
      await refused(folder, new RegExp(`${name.replace('.', '\\.')}" is not JSON: .*Download it again`));
    });
  }

  it('with a field that is not as expected', async () => {
    const folder = await copy();
    await edit(path.join(folder, 'preprocessor_config.json'), (json) => (json.image_mean = 'grey'));
    await refused(folder, /preprocessor_config\.json" is not as expected: image_mean: /);
  });

  it('with settings that are null, or in processor_config.json only', async () => {
    const folder = await copy();
    const file = path.join(folder, 'preprocessor_config.json');
    await edit(file, (json) => Object.assign(json, { crop_size: null, do_center_crop: null, resample: 2 }));
    assert.equal((await readModelFiles(folder)).preprocessor.do_center_crop, false);
    const preprocessor = JSON.parse(await readFile(file, 'utf8')) as object;
    await rm(file);
    await edit(path.join(folder, 'processor_config.json'), (json) => (json.image_processor = preprocessor));
    assert.equal((await readModelFiles(folder)).preprocessor.resample, 2);
  });

  it('without ONNX files', async () => {
    const folder = await copy();
    await rm(path.join(folder, 'onnx'), { recursive: true });
    await refused(folder, /has no onnx\/vision_encoder\.onnx\. Download the ONNX files/);
  });

  it('in data types that it has not', async () => {
    const folder = await copy();
    await refused(`${folder}#q4`, /has no vision_encoder in q4\. It has fp32/);
    await refused(`${folder}#q5`, /there is no data type "q5"/);
    await refused(`${folder}#decoder=fp32`, /there is no graph "decoder"/);
  });

  it('with a broken ONNX file', async () => {
    const folder = await copy();
    await truncate(path.join(folder, 'onnx/vision_encoder.onnx'), 100_000);
    await refused(folder, /^ONNX Runtime cannot load .*vision_encoder\.onnx: .*download it again/);
  });

  it('with an ONNX file that is none', async () => {
    const folder = await copy();
    await writeFile(path.join(folder, 'onnx/embed_tokens.onnx'), '<html>404 Not Found</html>');
    await refused(folder, /^ONNX Runtime cannot load .*embed_tokens\.onnx/);
  });

  it('of a type that is not supported', async () => {
    const folder = await copy();
    await edit(path.join(folder, 'config.json'), (json) => (json.model_type = 'blip'));
    await refused(folder, /models of type 'blip' are not supported yet\. Supported are: .*llava/);
  });

  it('without an image token, or with one that the tokenizer lacks', async () => {
    const folder = await copy();
    await edit(path.join(folder, 'config.json'), (json) => (json.image_token_index = 123_456));
    await refused(folder, /has no image token 123456\. config\.json and tokenizer\.json must be of the same model/);
    await edit(path.join(folder, 'config.json'), (json) => delete json.image_token_index);
    await refused(folder, /has no image token\. /);
  });
});
