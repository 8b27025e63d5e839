import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cachedModels } from '../../kernel/hub/cached.ts';
import { modelOverview } from '../../kernel/hub/overview.ts';
import { pullModel } from '../../kernel/hub/pull.ts';
import { plannedRemoval, removeModel } from '../../kernel/hub/remove.ts';
import { hubFolder } from '../../kernel/hub/resolve.ts';
import { hubSettings } from '../../kernel/hub/settings.ts';
import type { HubSettings } from '../../kernel/hub/settings.ts';
import { skipBecause } from '../skip.ts';
import { HubServer } from './hub-server.ts';
import { BY_DEFAULT, DECODER, filesBelow, ID, settingsFor, smallModel, wrongFiles } from './small-model.ts';

const run = promisify(execFile);
const files = smallModel();
const sizeOf = (names: readonly string[]) => names.reduce((sum, name) => sum + files[name]!.length, 0);

describe('the cache of models', () => {
  let hub: HubServer;

  before(async () => {
    hub = await HubServer.start();
    hub.commit(ID, files);
  });
  beforeEach(() => hub.reset());
  after(() => hub.stop());

  describe('its settings', () => {
    const of = (env: Record<string, string>) => hubSettings({ HF_TOKEN_PATH: '/nowhere', ...env });

    it('come from the variables that Python reads, the most particular first', () => {
      const cases: [Record<string, string>, string][] = [
        [{ HF_HOME: '/a' }, '/a/hub'],
        [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
        [{ XDG_CACHE_HOME: '/x', HF_HOME: '/a' }, '/a/hub'],
        [{ HF_HOME: '/a', HUGGINGFACE_HUB_CACHE: '/b' }, '/b'],
        [{ HF_HOME: '/a', HUGGINGFACE_HUB_CACHE: '/b', HF_HUB_CACHE: '/c' }, '/c'],
        [{ HF_HOME: '$BASE/d', BASE: '/base' }, '/base/d/hub'],
      ];
      for (const [env, cache] of cases) assert.equal(of(env).cache, path.resolve(cache));
      assert.equal(of({ HF_ENDPOINT: 'https://mirror.example/' }).endpoint, 'https://mirror.example');
      assert.equal(of({}).endpoint, 'https://huggingface.co');
      assert.throws(() => of({ HF_ENDPOINT: 'mirror' }), /HF_ENDPOINT is "mirror", which is no web address/);
      assert.equal(of({ HF_HUB_OFFLINE: '1' }).offline, true);
      assert.equal(of({ TRANSFORMERS_OFFLINE: 'yes' }).offline, true);
      assert.equal(of({ HF_HUB_OFFLINE: '0' }).offline, false);
      assert.equal(of({ HF_HUB_DOWNLOAD_TIMEOUT: '7' }).silenceMs, 7000);
    });

    it('take the token from the environment, then from its file', () => {
      const home = settingsFor(hub).cache;
      writeFileSync(path.join(home, 'token'), 'hf_fromfile\n');
      assert.equal(hubSettings({ HF_HOME: home, HF_TOKEN: ' hf_env\n' }).token, 'hf_env');
      assert.equal(hubSettings({ HF_HOME: home, HUGGING_FACE_HUB_TOKEN: 'hf_old' }).token, 'hf_old');
      assert.equal(hubSettings({ HF_HOME: home }).token, 'hf_fromfile');
      assert.equal(hubSettings({ HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }).token, undefined);
      writeFileSync(path.join(home, 'other'), 'hf_other');
      assert.equal(hubSettings({ HF_HOME: home, HF_TOKEN_PATH: path.join(home, 'other') }).token, 'hf_other');
      assert.throws(() => hubSettings({ HF_TOKEN: 'hf_a\nb' }), /HF_TOKEN holds characters that no token has/);
    });
  });

  it('is listed with size, revision and what is missing, once what is shared', async () => {
    const settings = settingsFor(hub);
    assert.deepEqual(await cachedModels(settings), []);
    assert.deepEqual(await cachedModels({ ...settings, cache: path.join(settings.cache, 'missing') }), []);
    const first = hub.commit('tiny-org/two', files);
    await pullModel('tiny-org/two', {}, settings);
    const second = hub.commit('tiny-org/two', { ...files, 'config.json': Buffer.from('{"model_type": "llava"}') });
    await pullModel('tiny-org/two', {}, settings);
    mkdirSync(path.join(settings.cache, 'models--google--bert', 'snapshots', first), { recursive: true });
    mkdirSync(path.join(settings.cache, 'datasets--a--b'));
    const [model, ...others] = await cachedModels(settings);
    assert.deepEqual(others, []);
    assert.equal(model!.id, 'tiny-org/two');
    assert.equal(model!.size, sizeOf(BY_DEFAULT) + '{"model_type": "llava"}'.length);
    assert.deepEqual(
      model!.revisions
        .map(({ commit, refs, missing }) => ({ commit, refs, missing }))
        .sort((a) => (a.commit === first ? -1 : 1)),
      [
        { commit: first, refs: [], missing: [] },
        { commit: second, refs: ['main'], missing: [] },
      ],
    );
    rmSync(path.join(model!.revisions[0]!.folder, DECODER));
    assert.deepEqual((await cachedModels(settings))[0]!.revisions[0]!.missing, ['decoder_model_merged']);
  });

  it('gives back what only a removed revision used', async () => {
    const settings = settingsFor(hub);
    const id = 'tiny-org/removed';
    const first = hub.commit(id, files);
    await pullModel(id, {}, settings);
    const second = hub.commit(id, { ...files, [DECODER]: Buffer.from(files[DECODER]!).fill(1) });
    const kept = await pullModel(id, {}, settings);
    const blobs = path.join(settings.cache, 'models--tiny-org--removed', 'blobs');
    assert.equal(readdirSync(blobs).length, BY_DEFAULT.length + 1);
    assert.equal((await plannedRemoval(id, { revision: first.slice(0, 8) }, settings)).frees, files[DECODER]!.length);
    assert.equal(readdirSync(blobs).length, BY_DEFAULT.length + 1, 'a plan removes nothing');
    await removeModel(id, { revision: first.slice(0, 8) }, settings);
    assert.equal(readdirSync(blobs).length, BY_DEFAULT.length);
    assert.deepEqual(readdirSync(path.join(settings.cache, 'models--tiny-org--removed', 'snapshots')), [second]);
    assert.equal(await hubFolder(id, {}, { ...settings, offline: true }), kept);
    await assert.rejects(removeModel(id, { revision: 'v9' }, settings), /no revision "v9" of .*It has main = /);
    await removeModel(id, {}, settings);
    assert.ok(!existsSync(path.join(settings.cache, 'models--tiny-org--removed')));
    await pullModel(ID, {}, settings);
    await assert.rejects(
      removeModel('tiny-org/Tiny-VLM', {}, settings),
      /not in the cache.*Did you mean "tiny-org\/Tiny-VLM_1\.0"/,
    );
    await assert.rejects(removeModel('../..', {}, settings), /is not the name of a model/);
  });

  it('does not lose a model that is being downloaded', async () => {
    const settings = settingsFor(hub);
    hub.rate = 400_000;
    const stop = new AbortController();
    const begun = new Promise<void>((resolve) => {
      void pullModel(
        ID,
        { signal: stop.signal, onProgress: ({ file }) => file.name === DECODER && resolve() },
        settings,
      ).catch(() => undefined);
    });
    await begun;
    await assert.rejects(removeModel(ID, {}, settings), /is being downloaded by another process/);
    stop.abort();
  });

  it('is told about with what config.json says, from the Hub, the cache or this package', async () => {
    const settings = settingsFor(hub);
    const before = await modelOverview(ID, {}, settings);
    assert.equal(before.from, 'hub');
    assert.equal(before.folder, undefined);
    assert.deepEqual(before.facts, [
      ['family', 'llava'],
      ['language width', '64'],
      ['vocabulary', '999'],
      ['image size', '96'],
    ]);
    assert.deepEqual(
      before.graphs.filter(({ isDefault }) => isDefault).map(({ graph, dtype, size }) => [graph, dtype, size]),
      [
        ['vision_encoder', 'fp32', files['onnx/vision_encoder.onnx']!.length + 300_000],
        ['embed_tokens', 'fp32', 120_000],
        ['decoder_model_merged', 'fp32', 1_000_000],
      ],
    );
    assert.ok(before.files.every(({ isHere }) => !isHere));
    assert.deepEqual(filesBelow(settings.cache), [], 'asking downloads nothing');
    const folder = await pullModel(ID, { dtype: 'q4' }, settings);
    const after = await modelOverview(ID, {}, settings);
    assert.equal(after.folder, folder);
    assert.deepEqual(
      after.graphs.filter(({ isHere }) => isHere).map(({ dtype }) => dtype),
      ['q4', 'q4', 'q4'],
    );
    hub.reset();
    const offline = await modelOverview(ID, {}, { ...settings, offline: true });
    assert.deepEqual([offline.from, offline.folder, hub.seen.length], ['cache', folder, 0]);
    const unreachable = await modelOverview(ID, {}, { ...settings, endpoint: 'http://127.0.0.1:9' });
    assert.deepEqual([unreachable.from, unreachable.folder], ['cache', folder]);
    assert.equal((await modelOverview('pocket', {}, settings)).from, 'embedded');
  });

  describe('shared with huggingface_hub', function () {
    this.timeout(120_000);

    const python = async (settings: HubSettings, code: string, more: Record<string, string> = {}) => {
      const env = {
        ...process.env,
        HF_ENDPOINT: settings.endpoint,
        HF_HUB_CACHE: settings.cache,
        HF_HUB_DISABLE_XET: '1',
        ...more,
      };
      const { stdout } = await run('python3', ['-c', code], { env });
      return stdout.trim();
    };
    before(async function () {
      await run('python3', ['-c', 'import huggingface_hub']).catch(() =>
        skipBecause(this, 'the cache shared with Python', 'python3 with huggingface_hub is not installed'),
      );
    });

    it('what Python has downloaded is used without a network', async () => {
      const settings = settingsFor(hub);
      const code = `from huggingface_hub import snapshot_download; print(snapshot_download(${JSON.stringify(ID)}, allow_patterns=["*.json", "onnx/*"]))`;
      const folder = await python(settings, code);
      hub.reset();
      assert.equal(await hubFolder(ID, {}, settings), folder);
      assert.equal(hub.seen.length, 0);
      hub.reset();
      assert.equal(await pullModel(ID, {}, settings), folder);
      assert.ok(
        hub.seen.every(({ path }) => path.startsWith('/api/')),
        'nothing is downloaded again',
      );
      assert.deepEqual(
        (await cachedModels(settings)).map(({ id }) => id),
        [ID],
      );
    });

    it('what was downloaded here is used by Python without a network', async () => {
      const settings = settingsFor(hub);
      const folder = await pullModel(ID, {}, settings);
      hub.reset();
      const code = [
        'from huggingface_hub import snapshot_download, hf_hub_download, scan_cache_dir',
        `print(snapshot_download(${JSON.stringify(ID)}))`,
        `print(hf_hub_download(${JSON.stringify(ID)}, ${JSON.stringify(DECODER)}))`,
        'cache = scan_cache_dir()',
        'print([str(w) for w in cache.warnings], [(r.repo_id, r.nb_files, r.size_on_disk) for r in cache.repos])',
      ].join('\n');
      const [snapshot, decoder, scan] = (await python(settings, code, { HF_HUB_OFFLINE: '1' })).split('\n');
      assert.equal(snapshot, folder);
      assert.equal(decoder, path.join(folder, DECODER));
      assert.equal(scan, `[] [('${ID}', ${BY_DEFAULT.length}, ${sizeOf(BY_DEFAULT)})]`);
      assert.equal(hub.seen.length, 0);
      // Online, Python asks, and finds the very blobs that it would have named so itself.
      await python(
        settings,
        `from huggingface_hub import hf_hub_download; hf_hub_download(${JSON.stringify(ID)}, ${JSON.stringify(DECODER)})`,
      );
      assert.deepEqual(
        hub.seen.filter(({ method, path }) => method === 'GET' && !path.startsWith('/api/')),
        [],
      );
    });
  });

  describe('shared by several processes', function () {
    this.timeout(120_000);

    const child = path.resolve(import.meta.dirname, 'pull-process.ts');
    const pullElsewhere = async (settings: HubSettings, kill?: (line: string) => boolean) => {
      const running = execFile(process.execPath, ['--import', 'tsx', child, ID, JSON.stringify(settings)]);
      let output = '';
      running.stdout!.on('data', (text: string) => {
        output += text;
        if (kill?.(output)) running.kill('SIGKILL');
      });
      await new Promise((resolve) => running.on('close', resolve));
      return output.trim().split('\n').at(-1)!;
    };

    it('downloads each file once, and whole', async () => {
      const settings = settingsFor(hub, { silenceMs: 20_000 });
      hub.rate = 600_000;
      const folders = await Promise.all([0, 1].map(() => pullElsewhere(settings)));
      assert.equal(new Set(folders).size, 1);
      assert.deepEqual(wrongFiles(folders[0]!, files, BY_DEFAULT), []);
      const downloads = hub.seen.filter(({ host }) => host === 'cdn').map(({ path }) => path);
      assert.equal(downloads.length, new Set(downloads).size, 'nothing was downloaded twice');
      assert.ok(!filesBelow(settings.cache).some((name) => name.endsWith('.incomplete')));
    });

    it('goes on after a process that was killed', async () => {
      const settings = settingsFor(hub, { silenceMs: 20_000 });
      hub.rate = 200_000;
      await pullElsewhere(settings, (output) => /decoder_model_merged\.onnx [1-9]\d{5}/.test(output));
      const kept = filesBelow(settings.cache).filter((name) => name.endsWith('.incomplete'));
      assert.ok(kept.length >= 1);
      hub.reset();
      const folder = await pullElsewhere(settings);
      assert.deepEqual(wrongFiles(folder, files, BY_DEFAULT), []);
      assert.ok(
        hub.seen.some(({ range }) => /^bytes=\d{6}-$/.test(range ?? '')),
        'it went on in the middle',
      );
      assert.ok(readFileSync(path.join(folder, DECODER)).equals(files[DECODER]!));
    });
  });
});
