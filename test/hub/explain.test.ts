import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { LensDocument } from '../../kernel/document.ts';
import { explain, loadModel, shutdown } from '../../kernel/index.ts';
import type { Progress } from '../../kernel/index.ts';
import { lvlmLens } from '../cli/command.ts';
import { HubServer, once, pocketFiles, refuse } from './hub-server.ts';
import { filesBelow, settingsFor } from './small-model.ts';

const ID = 'lvlm-lens/pocket-0.1';
const IMAGE = path.resolve(import.meta.dirname, '../../notebooks/images/banana.png');
const QUESTION = 'What colour is the background?';

describe('a model on the Hub', function () {
  this.timeout(240_000);
  let hub: HubServer;
  let commit: string;
  let env: Record<string, string>;
  const before_ = { ...process.env };
  const files = pocketFiles();

  before(async () => {
    hub = await HubServer.start();
    commit = hub.commit(ID, files);
  });
  beforeEach(() => {
    hub.reset();
    env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: settingsFor(hub).cache, HF_TOKEN: 'hf_test' };
    Object.assign(process.env, env);
  });
  after(async () => {
    for (const name of Object.keys(env)) {
      if (before_[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before_[name];
    }
    await shutdown();
    await hub.stop();
  });

  it('is downloaded, loaded by its name and explained; then no network is needed', async () => {
    const news: Progress[] = [];
    const model = await loadModel(ID, { onProgress: (progress) => news.push(progress) });
    assert.equal(model.id, ID);
    assert.equal(path.basename(model.folder), commit);
    const last = news.filter(({ stage }) => stage === `downloading ${ID}`).at(-1)!;
    assert.ok(last.step === last.steps && last.steps > 11e6 && last.unit === 'bytes');
    hub.reset();
    const options = { image: IMAGE, question: QUESTION, method: 'grad-cam', perToken: false, metrics: false } as const;
    const mine = await explain({ ...options, model });
    assert.deepEqual(hub.seen, []);
    const embedded = await explain(options);
    assert.equal(mine.explanation.model.id, ID);
    assert.equal(mine.answer, embedded.answer);
    assert.deepEqual(mine.explanation.maps, embedded.explanation.maps);
    assert.deepEqual(mine.explanation.provenance.files, embedded.explanation.provenance.files);
  });

  it('stays the revision that was loaded', async () => {
    const old = await loadModel(ID);
    const newer = hub.commit(ID, { ...files, 'generation_config.json': Buffer.from('{"eos_token_id": 1}') }, 'next');
    const next = await loadModel(ID, { revision: 'next' });
    assert.equal(path.basename(next.folder), newer);
    assert.equal(next.id, ID);
    const options = { image: IMAGE, question: QUESTION, method: 'grad-cam', perToken: false, metrics: false } as const;
    const config = async (model: typeof old) =>
      (await explain({ ...options, model })).explanation.provenance.files['generation_config.json'];
    assert.notEqual(await config(old), await config(next));
    await assert.rejects(loadModel(ID, { dtype: 'q4' }), /has no vision_encoder in q4\. It has fp32/);
    await assert.rejects(loadModel(ID, { revision: 'v9' }), /has no revision "v9"/);
  });

  it('is downloaded in the data types that its name asks for', async () => {
    const decoder = files['onnx/decoder_model_merged.onnx']!;
    hub.commit(ID, { ...files, 'onnx/decoder_model_merged_q4.onnx': decoder }, 'main');
    hub.reset();
    const options = { image: IMAGE, question: QUESTION, method: 'grad-cam', perToken: false, metrics: false } as const;
    const e = await explain({ ...options, model: `${ID}#decoder_model_merged=q4` });
    assert.equal(e.explanation.model.id, `${ID}#decoder_model_merged=q4`);
    assert.ok('onnx/decoder_model_merged_q4.onnx' in e.explanation.provenance.files);
    assert.ok(!('onnx/decoder_model_merged.onnx' in e.explanation.provenance.files));
    hub.commit(ID, files);
  });

  it('that is gated stops a question with what to do', async () => {
    hub.faults = [
      once(/resolve/, (_request, response) => (refuse(response, 403, 'GatedRepo', 'restricted'), true), 99),
    ];
    await assert.rejects(
      explain({ image: IMAGE, question: QUESTION, model: ID }),
      /lvlm-lens\/pocket-0\.1 is gated, and the access token that was sent may not read it.*accept its conditions/,
    );
  });

  it('is pulled, listed, told about, explained and removed by the command', async () => {
    const folder = env.HF_HUB_CACHE!;
    const run = (...args: string[]) => lvlmLens(args, folder, env);
    const info = await run('models', 'info', ID);
    assert.equal(info.code, 0, info.stderr);
    assert.match(info.stdout, /^family +llava$/m);
    assert.match(info.stdout, /^on this machine +not/m);
    assert.match(info.stdout, /^decoder_model_merged +fp32 +5\.71 MB +default$/m);
    assert.match(info.stdout, /^tokenizer\.json +47\.7 kB$/m);

    const pull = await run('models', 'pull', ID);
    assert.equal(pull.code, 0, pull.stderr);
    const snapshot = pull.stdout.trim();
    assert.equal(path.basename(snapshot), commit);
    assert.match(pull.stderr, new RegExp(`downloading ${ID}`));
    hub.reset();

    const list = await run('models', 'list');
    assert.match(list.stdout, /^model +dtype +size +revision/);
    assert.match(list.stdout, /^pocket +fp32 +11\.4 MB +embedded$/m);
    assert.match(list.stdout, new RegExp(`^${ID} +fp32 +11\\.4 MB +main = ${commit.slice(0, 8)}$`, 'm'));

    const out = path.join(folder, 'result.json');
    const args = ['explain', IMAGE, QUESTION, '--model', ID, '--method', 'grad-cam', '--no-metrics', '--no-per-token'];
    const explained = await run(...args, '-o', out);
    assert.equal(explained.code, 0, explained.stderr);
    const document = JSON.parse(readFileSync(out, 'utf8')) as LensDocument;
    assert.equal(document.explanations[0]!.model.id, ID);
    assert.deepEqual(hub.seen, [], 'the cache was enough');

    const asked = await run('models', 'rm', ID);
    assert.equal(asked.code, 1);
    assert.match(asked.stderr, /Remove .*\? There is no terminal to ask on\. Say --yes/);
    assert.ok(existsSync(snapshot));
    const removed = await run('models', 'rm', ID, '--yes');
    assert.equal(removed.code, 0, removed.stderr);
    assert.match(removed.stderr, /removed lvlm-lens\/pocket-0\.1: 11\.4 MB are free/);
    assert.ok(!filesBelow(folder).some((name) => name.startsWith('models--')));
  });

  it('stays where it is when the command is used wrongly', async () => {
    const run = (...args: string[]) => lvlmLens(args, env.HF_HUB_CACHE!, env);
    const dtype = await run('models', 'pull', ID, '--dtype', 'q44');
    assert.equal(dtype.code, 1);
    assert.match(dtype.stderr, /^there is no data type "q44"\. Did you mean "q4"\? .*\n$/);
    const missing = await run('models', 'pull', 'lvlm-lens/poket-0.1');
    assert.match(missing.stderr, /^there is no model .*Did you mean lvlm-lens\/pocket-0\.1\?.*\n$/);
    assert.equal((await run('models', 'rm', 'pocket', '--yes')).code, 1);
    assert.equal((await run('models', 'pull')).code, 2);
  });
});
