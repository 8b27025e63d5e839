import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AbortError, LensError } from '../../kernel/errors.ts';
import { incompleteFile } from '../../kernel/hub/download.ts';
import { pullModel } from '../../kernel/hub/pull.ts';
import type { PullProgress } from '../../kernel/hub/pull-progress.ts';
import { hubFolder } from '../../kernel/hub/resolve.ts';
import type { HubSettings } from '../../kernel/hub/settings.ts';
import { skipBecause } from '../skip.ts';
import { digest, HubServer, json, once, refuse, treeEntry } from './hub-server.ts';
import type { Fault } from './hub-server.ts';
import { BY_DEFAULT, DECODER, filesBelow, ID, settingsFor, smallModel, WEIGHTS, wrongFiles } from './small-model.ts';

const files = smallModel();
const decoder = digest(files[DECODER]!);

describe('pulling a model', () => {
  let hub: HubServer;
  let commit: string;

  before(async () => {
    hub = await HubServer.start();
    commit = hub.commit(ID, files);
  });
  beforeEach(() => hub.reset());
  after(() => hub.stop());

  const blobOf = (settings: HubSettings, name: string) => {
    const { oid, lfs } = treeEntry(name, files[name]!);
    return path.join(settings.cache, 'models--tiny-org--Tiny-VLM_1.0', 'blobs', lfs?.oid ?? oid);
  };
  const contents = () => hub.seen.filter(({ path }) => path === `/${decoder}`);
  /** A pull that must fail with one message; nothing that it left may pass for good. */
  const failure = async (settings: HubSettings, options = {}) => {
    const error = await pullModel(ID, options, settings).then(
      () => assert.fail('the pull should have failed'),
      (cause: unknown) => cause,
    );
    assert.ok(error instanceof LensError, String((error as Error).stack));
    for (const name of filesBelow(settings.cache)) {
      const [, blob] = /\/blobs\/([0-9a-f]+)$/.exec(name) ?? [];
      if (blob === undefined) continue;
      const known = Object.entries(files).find(([file, content]) => {
        const { oid, lfs } = treeEntry(file, content);
        return (lfs?.oid ?? oid) === blob;
      });
      assert.ok(readFileSync(path.join(settings.cache, name)).equals(known![1]), `${known![0]} is whole`);
    }
    assert.ok(!existsSync(path.join(settings.cache, 'models--tiny-org--Tiny-VLM_1.0', 'refs', 'main')));
    return error.message;
  };

  it('brings what is needed into the cache as huggingface_hub lays it out', async () => {
    const settings = settingsFor(hub);
    const folder = await pullModel(ID, {}, settings);
    const repository = path.join(settings.cache, 'models--tiny-org--Tiny-VLM_1.0');
    assert.equal(folder, path.join(repository, 'snapshots', commit));
    assert.deepEqual(filesBelow(folder), BY_DEFAULT);
    assert.deepEqual(wrongFiles(folder, files, BY_DEFAULT), []);
    assert.equal(readFileSync(path.join(repository, 'refs', 'main'), 'utf8'), commit);
    if (process.platform !== 'win32') {
      assert.equal(readlinkSync(path.join(folder, DECODER)), path.join('..', '..', '..', 'blobs', decoder));
    }
    assert.equal(filesBelow(path.join(repository, 'blobs')).length, BY_DEFAULT.length);
    assert.deepEqual(filesBelow(path.join(settings.cache, '.locks')), []);
  });

  it('downloads nothing twice', async () => {
    const settings = settingsFor(hub);
    await pullModel(ID, {}, settings);
    hub.reset();
    await pullModel(ID, {}, settings);
    assert.ok(hub.seen.every(({ path }) => path.startsWith('/api/')));
    hub.reset();
    await hubFolder(ID, {}, settings);
    await pullModel(ID, { revision: commit }, settings);
    assert.deepEqual(hub.seen, []);
  });

  it('takes one data type for all graphs, or one for each', async () => {
    const q4 = await pullModel(ID, { dtype: 'q4' }, settingsFor(hub));
    assert.deepEqual(
      filesBelow(q4).filter((name) => name.startsWith('onnx/')),
      ['onnx/decoder_model_merged_q4.onnx', 'onnx/embed_tokens_q4.onnx', 'onnx/vision_encoder_q4.onnx'],
    );
    const mixed = await pullModel(
      ID,
      { dtype: { decoder_model_merged: 'q8', embed_tokens: 'fp16' } },
      settingsFor(hub),
    );
    assert.deepEqual(
      filesBelow(mixed).filter((name) => name.startsWith('onnx/')),
      [
        'onnx/decoder_model_merged_quantized.onnx',
        'onnx/embed_tokens_fp16.onnx',
        'onnx/vision_encoder.onnx',
        'onnx/vision_encoder.onnx_data',
      ],
    );
  });

  it('says which data types there are', async () => {
    assert.match(
      await failure(settingsFor(hub), { dtype: 'fp16' }),
      /has no decoder_model_merged in fp16\. It has fp32 \(1\.00 MB\), q4 \(200 kB\), q8 \(110 kB\)/,
    );
    assert.match(await failure(settingsFor(hub), { dtype: 'q5' }), /no data type "q5".*q4/);
  });

  it('brings only the other data type where one is there', async () => {
    const settings = settingsFor(hub);
    await pullModel(ID, {}, settings);
    hub.reset();
    await hubFolder(ID, { dtype: 'q4' }, settings);
    assert.equal(hub.seen.filter(({ host }) => host === 'cdn').length, 3);
  });

  it('tells of bytes, rate and time left, per file and of the whole', async () => {
    const settings = settingsFor(hub);
    hub.rate = 2_000_000;
    const news: PullProgress[] = [];
    await pullModel(ID, { onProgress: (progress) => news.push(progress) }, settings);
    const whole = BY_DEFAULT.reduce((sum, name) => sum + files[name]!.length, 0);
    for (const [i, { step, steps, unit, file }] of news.entries()) {
      assert.equal(steps, whole);
      assert.equal(unit, 'bytes');
      assert.ok(step <= steps && (i === 0 || step >= news[i - 1]!.step));
      assert.equal(file.size, files[file.name]!.length);
      assert.equal(file.of, BY_DEFAULT.length);
    }
    assert.equal(news.at(-1)!.step, whole);
    assert.deepEqual([...new Set(news.map(({ file }) => file.name))].sort(), BY_DEFAULT);
    const late = news.filter(({ file, step }) => file.name === DECODER && step < whole).at(-1)!;
    assert.ok(late.rate! > 500_000 && late.rate! < 8_000_000, `${late.rate} B/s`);
    assert.ok(Math.abs(late.remainingMs! - ((whole - late.step) / late.rate!) * 1000) < 1);
  });

  it('goes on after a cut from where it ended', async () => {
    const settings = settingsFor(hub);
    hub.faults = [once(new RegExp(decoder), cutAfter(files[DECODER]!, 300_000), 2)];
    const folder = await pullModel(ID, {}, settings);
    assert.deepEqual(wrongFiles(folder, files, BY_DEFAULT), []);
    assert.deepEqual(
      contents().map(({ range }) => range),
      [undefined, 'bytes=300000-', 'bytes=600000-'],
    );
  });

  it('goes on with the next pull after one that was given up', async () => {
    const settings = settingsFor(hub);
    hub.faults = [once(new RegExp(decoder), cutAfter(files[DECODER]!, 400_000)), once(new RegExp(decoder), hangUp, 99)];
    assert.match(await failure(settings), /cannot download .*decoder.* the connection was cut.*kept/);
    assert.equal(lstatSync(incompleteFile(blobOf(settings, DECODER))).size, 400_000);
    hub.reset();
    const news: PullProgress[] = [];
    const folder = await pullModel(ID, { onProgress: (progress) => news.push(progress) }, settings);
    assert.deepEqual(
      contents().map(({ range }) => range),
      ['bytes=400000-'],
    );
    assert.ok(news.some(({ file }) => file.name === DECODER && file.bytes === 400_000));
    assert.deepEqual(wrongFiles(folder, files, BY_DEFAULT), []);
    assert.ok(!filesBelow(settings.cache).some((name) => name.endsWith('.incomplete')));
  });

  it('stops when asked to, and keeps what has arrived', async () => {
    const settings = settingsFor(hub);
    hub.rate = 500_000;
    const stop = new AbortController();
    const onProgress = ({ file }: PullProgress) => {
      if (file.name === DECODER && file.bytes > 50_000) stop.abort();
    };
    await assert.rejects(pullModel(ID, { signal: stop.signal, onProgress }, settings), AbortError);
    const kept = lstatSync(incompleteFile(blobOf(settings, DECODER))).size;
    assert.ok(kept > 50_000 && kept < 1_000_000);
    assert.deepEqual(filesBelow(path.join(settings.cache, '.locks')), []);
    hub.reset();
    await pullModel(ID, {}, settings);
    assert.deepEqual(
      contents().map(({ range }) => range),
      [`bytes=${kept}-`],
    );
  });

  it('begins anew where the server knows no ranges', async () => {
    const settings = settingsFor(hub);
    const whole: Fault = (_request, response) => {
      response.writeHead(200, { 'content-length': files[DECODER]!.length });
      response.end(files[DECODER]);
      return true;
    };
    hub.faults = [once(new RegExp(decoder), cutAfter(files[DECODER]!, 300_000)), once(new RegExp(decoder), whole)];
    assert.deepEqual(wrongFiles(await pullModel(ID, {}, settings), files, BY_DEFAULT), []);
    assert.equal(contents().length, 2);
  });

  it('fetches all again where what was kept is wrong', async () => {
    const settings = settingsFor(hub);
    const blob = blobOf(settings, DECODER);
    mkdirSync(path.dirname(blob), { recursive: true });
    writeFileSync(incompleteFile(blob), Buffer.alloc(123_456));
    assert.deepEqual(wrongFiles(await pullModel(ID, {}, settings), files, BY_DEFAULT), []);
    assert.deepEqual(
      contents().map(({ range }) => range),
      ['bytes=123456-', undefined],
    );
  });

  it('tries again when a server is busy or in trouble, as long as it says', async () => {
    const settings = settingsFor(hub);
    const busy: Fault = (_request, response) => {
      response.writeHead(429, { 'retry-after': '1' });
      response.end();
      return true;
    };
    hub.faults = [
      once(/revision/, (_request, response) => (refuse(response, 503, '', 'busy'), true), 3),
      once(/tree/, hangUp, 2),
      once(/config\.json/, (_request, response) => (refuse(response, 500, '', 'oh'), true), 4),
      once(new RegExp(decoder), busy),
    ];
    const begun = performance.now();
    assert.deepEqual(wrongFiles(await pullModel(ID, {}, settings), files, BY_DEFAULT), []);
    assert.ok(performance.now() - begun >= 1000);
  });

  const status = (code: number, errorCode = '', words = ''): Fault => {
    return (_request, response) => (refuse(response, code, errorCode, words), true);
  };
  const body = (content: Buffer, headers: Record<string, string> = {}): Fault => {
    return (_request, response) => {
      response.writeHead(200, { 'content-length': String(content.length), ...headers });
      response.end(content);
      return true;
    };
  };
  const flipped = Buffer.from(files[DECODER]!);
  flipped[500_000]! ^= 1;
  const page = Buffer.from('<!doctype html><title>Sign in to HotelNet</title>');
  const html = { 'content-type': 'text/html; charset=utf-8' };

  /** What the server does to which requests, each time; what is said; how often it is asked. */
  const refusals: [what: string, path: RegExp, fault: Fault, message: RegExp, requests: number][] = [
    [
      'a wrong checksum',
      new RegExp(decoder),
      body(flipped),
      /decoder_model_merged\.onnx of .* damaged: its SHA-256 is not .*not kept/,
      1,
    ],
    [
      'a wrong checksum of a small file',
      /tokenizer\.json/,
      body(Buffer.from('{"model": []}')),
      /tokenizer\.json of .* damaged: its git SHA-1 is not/,
      1,
    ],
    [
      'fewer bytes than listed',
      new RegExp(decoder),
      body(flipped.subarray(0, 999_000)),
      /should have 1000000 bytes, but the server has 999000/,
      1,
    ],
    [
      'more bytes than listed',
      new RegExp(decoder),
      chunked(Buffer.concat([flipped, flipped])),
      /should have 1000000 bytes, but the server sends more/,
      1,
    ],
    [
      'a cut at the same place for ever',
      new RegExp(decoder),
      cutAt(files[DECODER]!, 700_000),
      /cannot download .*decoder.*: the connection was cut.*kept/,
      6,
    ],
    ['silence', new RegExp(decoder), () => true, /cannot download .*decoder.*: it fell silent for 0\.1 s/, 5],
    [
      'a web page instead of weights',
      new RegExp(decoder),
      body(page, html),
      /sent a web page instead of onnx\/decoder_model_merged\.onnx.*sign-in page/,
      1,
    ],
    [
      'a web page instead of the list',
      /\/api\//,
      body(page, html),
      /answered with something else than the Hub's data: a web page.*proxy/,
      1,
    ],
    [
      'a list of nonsense',
      /tree/,
      body(Buffer.from('{"a": 1}')),
      /the list of files of tiny-org.* is not as expected/,
      1,
    ],
    ['a commit that is none', /revision/, body(Buffer.from('{"sha": "../../x"}')), /names no commit/, 1],
    [
      'trouble for ever',
      /revision/,
      status(502),
      /the Hub failed to give the list of files.*502, 5 times.*Try again later/,
      5,
    ],
    ['too many requests', /revision/, status(429), /too many requests \(429\), 5 times\. Wait.*HF_TOKEN/, 5],
    [
      'a gated model (401)',
      /resolve/,
      status(401, 'GatedRepo', 'Access to model x is restricted'),
      /is gated.*Open http.*accept.*tokens and set HF_TOKEN/,
      3,
    ],
    ['a gated model (403)', /resolve/, status(403, 'GatedRepo', 'not in the authorized list'), /is gated.*HF_TOKEN/, 3],
    [
      'a model not found',
      /revision/,
      status(401, 'RepoNotFound', 'Repository not found'),
      /there is no model tiny-org\/Tiny-VLM_1\.0 on 127.* or it is private/,
      1,
    ],
    [
      'a revision not found',
      /revision/,
      status(404, 'RevisionNotFound', 'Invalid rev id'),
      /has no revision "main"/,
      1,
    ],
    ['a file that is gone', /tokenizer\.json/, status(404, 'EntryNotFound'), /has no file tokenizer\.json/, 1],
    [
      'an expired token',
      /revision/,
      status(401, '', 'Invalid credentials in Authorization header'),
      /does not know the access token/,
      1,
    ],
  ];
  for (const [what, match, fault, message, requests] of refusals) {
    it(`says in one message what to do about ${what}, and leaves nothing that looks whole`, async () => {
      const settings = settingsFor(hub, what === 'silence' ? { silenceMs: 100 } : {});
      hub.faults = [once(match, fault, 99)];
      assert.match(await failure(settings), message);
      const count = hub.seen.filter(({ path }) => match.test(path)).length;
      assert.ok(count <= requests && count >= 1, `asked ${count} times`);
      // What was refused once is not held against the next pull.
      hub.reset();
      assert.deepEqual(wrongFiles(await pullModel(ID, {}, settings), files, BY_DEFAULT), []);
    });
  }

  it('says that nothing answers', async () => {
    const message = await failure(settingsFor({ endpoint: 'http://127.0.0.1:9' }));
    assert.match(
      message,
      /cannot download tiny-org\/Tiny-VLM_1\.0 from http:\/\/127\.0\.0\.1:9: .*Check the connection/,
    );
  });

  it('names the model that was meant', async () => {
    const misspelt = pullModel('tiny-org/Tiny-VML_1.0', {}, settingsFor(hub));
    await assert.rejects(misspelt, /there is no model tiny-org\/Tiny-VML_1\.0.*Did you mean tiny-org\/Tiny-VLM_1\.0\?/);
  });

  it('refuses names that are none before asking anyone', async () => {
    for (const id of ['../x', 'a/b/c', '/etc/passwd', 'a/..', 'C:\\x', 'a--b/c', 'no-slash']) {
      await assert.rejects(pullModel(id, {}, settingsFor(hub)), /is not the name of a model/);
    }
    for (const revision of ['../../x', '/x', 'a\\b', 'x\0']) {
      await assert.rejects(pullModel(ID, { revision }, settingsFor(hub)), /is not a revision/);
    }
    assert.deepEqual(hub.seen, []);
  });

  it('works offline with what is there, and says what is not', async () => {
    const settings = { ...settingsFor(hub), offline: true };
    assert.match(await failure(settings), /is not in the cache .*HF_HUB_OFFLINE forbids/);
    await pullModel(ID, { dtype: 'q4' }, { ...settings, offline: false });
    hub.reset();
    assert.equal(await pullModel(ID, {}, settings), await hubFolder(ID, {}, settings));
    await assert.rejects(
      pullModel(ID, { dtype: { decoder_model_merged: 'fp32' } }, settings),
      /without decoder_model_merged \(fp32\), and HF_HUB_OFFLINE forbids/,
    );
    assert.deepEqual(hub.seen, []);
  });

  it('sees that a file of weights is missing, and brings it', async () => {
    const settings = settingsFor(hub);
    const folder = await pullModel(ID, {}, settings);
    const { rmSync } = await import('node:fs');
    rmSync(path.join(folder, WEIGHTS));
    await assert.rejects(pullModel(ID, {}, { ...settings, offline: true }), /without onnx\/vision_encoder\.onnx_data/);
    hub.reset();
    assert.equal(await hubFolder(ID, {}, settings), folder);
    assert.deepEqual(wrongFiles(folder, files, BY_DEFAULT), []);
    assert.equal(hub.seen.filter(({ host }) => host === 'cdn').length, 0, 'the blob was there');
  });

  it('sends the access token to the Hub, and to nobody else', async () => {
    await pullModel(ID, {}, settingsFor(hub, { token: 'secret' }));
    const authorised = (host: string) =>
      hub.seen.filter((seen) => seen.host === host).map((seen) => seen.authorization);
    assert.deepEqual([...new Set(authorised('hub'))], ['Bearer secret']);
    assert.deepEqual([...new Set(authorised('cdn'))], [undefined]);
  });

  it('says that the disk has no room before it begins', async () => {
    const settings = settingsFor(hub);
    const entries = Object.entries(files).map(([name, content]) => treeEntry(name, content));
    const huge = entries.map((entry) =>
      entry.path === WEIGHTS ? { ...entry, lfs: { ...entry.lfs!, size: 1e15 } } : entry,
    );
    hub.faults = [once(/tree/, (_request, response) => (json(response, huge), true))];
    assert.match(
      await failure(settings, { dtype: { vision_encoder: 'fp32' } }),
      /the disk is full: \d+ TB more are needed in .*--dtype.*HF_HOME/,
    );
    assert.ok(!hub.seen.some(({ path }) => path.includes('/resolve/')));
  });

  it('says that the disk is full when it is while writing', async function () {
    if (!existsSync('/dev/full')) skipBecause(this, 'a disk that is full', 'this system has no /dev/full');
    const settings = settingsFor(hub);
    const blob = blobOf(settings, DECODER);
    mkdirSync(path.dirname(blob), { recursive: true });
    // Every write to it fails with ENOSPC.
    symlinkSync('/dev/full', incompleteFile(blob));
    assert.match(await failure(settings), /the disk is full: 1\.00 MB more are needed/);
  });

  it('says that the cache cannot be written', async () => {
    const settings = settingsFor(hub);
    writeFileSync(path.join(settings.cache, 'file'), '');
    const error = await pullModel(ID, {}, { ...settings, cache: path.join(settings.cache, 'file') }).catch(
      (e: unknown) => e,
    );
    assert.ok(error instanceof LensError, String((error as Error).stack));
    assert.match(error.message, /cannot write ".*HF_HOME/);
  });

  it('lets no file name leave the cache', async () => {
    const settings = settingsFor(hub);
    const outside = path.join(path.dirname(settings.cache), 'escaped');
    const hostile = [
      '../escaped',
      '../../../../escaped',
      outside,
      'onnx/../../../../escaped',
      'onnx\\..\\escaped',
      'C:\\escaped',
      'onnx/decoder_model_merged.onnx_data/../../../../../escaped',
      'onnx/decoder_model_merged.onnx\0',
      'config.json\n',
      'onnx/./embed_tokens.onnx',
      '//escaped',
      'NUL',
      'onnx/vision_encoder.onnx_data:stream',
      '\u202egnp.onnx',
    ].map((name) => treeEntry(name, Buffer.from('escaped')));
    const entries = [...hostile, ...Object.entries(files).map(([name, content]) => treeEntry(name, content))];
    hub.faults = [once(/tree/, (_request, response) => (json(response, entries), true))];
    const folder = await pullModel(ID, {}, settings);
    assert.deepEqual(filesBelow(folder), BY_DEFAULT);
    assert.ok(!existsSync(outside));
    const blobNames = filesBelow(path.join(settings.cache, 'models--tiny-org--Tiny-VLM_1.0', 'blobs'));
    assert.ok(blobNames.every((name) => /^[0-9a-f]+$/.test(name)));
    // Hashes become names of blobs: they are checked as well.
    const forged = entries.map((entry) =>
      entry.path === DECODER ? { ...entry, lfs: { ...entry.lfs!, oid: '../../escaped' } } : entry,
    );
    hub.faults = [once(/tree/, (_request, response) => (json(response, forged), true))];
    await assert.rejects(pullModel(ID, { dtype: 'q4' }, settings), /the list of files .* is not as expected/);
  });

  it('copies where links are refused', async () => {
    const settings = settingsFor(hub, { copies: true });
    const folder = await pullModel(ID, {}, settings);
    assert.ok(lstatSync(path.join(folder, DECODER)).isFile());
    assert.deepEqual(wrongFiles(folder, files, BY_DEFAULT), []);
    hub.reset();
    await hubFolder(ID, {}, settings);
    assert.deepEqual(hub.seen, []);
  });

  it('keeps the old commit in use until the new one is whole', async () => {
    const settings = settingsFor(hub);
    const id = 'tiny-org/moving';
    const old = await pullModel(id, {}, (hub.commit(id, files), settings));
    const newer = { ...files, [DECODER]: Buffer.from(files[DECODER]!).fill(7, 0, 10) };
    hub.commit(id, newer);
    hub.faults = [once(new RegExp(digest(newer[DECODER]!)), hangUp, 99)];
    await assert.rejects(pullModel(id, {}, settings), LensError);
    assert.equal(await hubFolder(id, {}, settings), old);
    hub.reset();
    const folder = await pullModel(id, {}, settings);
    assert.notEqual(folder, old);
    assert.equal(await hubFolder(id, {}, settings), folder);
    assert.equal(hub.seen.filter(({ host }) => host === 'cdn').length, 1, 'what both commits share was there');
  });
});

const hangUp: Fault = (request) => {
  request.socket.destroy();
  return true;
};

/** The answer, of which only so many bytes come before the connection is cut. */
function cutAfter(content: Buffer, bytes: number): Fault {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    return cut(content, start, start + bytes, request.headers.range !== undefined, response);
  };
}

/** The answer, cut at this byte of the file however often it is asked for. */
function cutAt(content: Buffer, end: number): Fault {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    return cut(content, start, end, request.headers.range !== undefined, response);
  };
}

function cut(content: Buffer, start: number, end: number, partial: boolean, response: Parameters<Fault>[1]): boolean {
  response.writeHead(partial ? 206 : 200, {
    'content-length': content.length - start,
    ...(partial && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
  });
  response.write(content.subarray(start, end), () => setTimeout(() => response.destroy(), 20));
  return true;
}

/** Without a length. */
function chunked(content: Buffer): Fault {
  return (_request, response) => {
    response.writeHead(200);
    response.end(content);
    return true;
  };
}
