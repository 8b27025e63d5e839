import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Progress } from '../../kernel/attribution/scorer.ts';
import { Engine } from '../../kernel/engine/client.ts';
import type { TaskName, TaskParams } from '../../kernel/engine/task-table.ts';
import { AbortError, LensError } from '../../kernel/errors.ts';
import { skipBecause } from '../skip.ts';

const image = { data: Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * 31) % 256), width: 64, height: 48 };
const question = 'What is left of the dog?';

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100 && alive(pid); i++) await sleep(50);
  return !alive(pid);
}

/** Starts an explanation that takes seconds (200 gradients) and waits until it is under way. */
function underWay(engine: Engine, signal?: AbortSignal) {
  let started: () => void;
  const running = new Promise<void>((resolve) => (started = resolve));
  const method = { name: 'igos++', preset: 'paper' };
  const params = { image, question, tokens: 'all', method, perToken: false } as unknown as TaskParams<'explain'>;
  return { call: engine.call('explain', params, { signal, onProgress: () => started() }), running };
}

describe('Engine', function () {
  this.timeout(120_000);
  const engine = new Engine({ stopMs: 700 });
  after(() => engine.close());

  it('describes a model', async () => {
    const { info, provenance } = await engine.call('describe', { model: 'pocket' });
    assert.equal(info.type, 'llava');
    assert.match(provenance.files['onnx/vision_encoder.onnx']!, /^[0-9a-f]{64}$/);
    assert.ok(provenance.versions['onnxruntime-node']);
  });

  it('generates, with progress, in the child and not here', async () => {
    const steps: Progress[] = [];
    const answer = await engine.call(
      'generate',
      { image, question, maxNewTokens: 5 },
      { onProgress: (progress) => steps.push(progress) },
    );
    assert.equal(answer.tokens.length, answer.logp.length);
    assert.equal(steps.length, answer.tokens.length);
    assert.notEqual(engine.pid, process.pid);
  });

  it('tokenises', async () => {
    const { text, tokens } = await engine.call('tokenize', { text: 'A dog.' });
    assert.equal(text, 'A dog.');
    assert.equal(tokens.map((token) => token.text).join(''), 'A dog.');
  });

  it('passes on errors for people as they are', async () => {
    await assert.rejects(engine.call('generate', { image, question: ' ' }), (error: Error) => {
      assert.ok(error instanceof LensError);
      assert.equal(error.message, 'the question is empty. Ask something');
      return true;
    });
    await assert.rejects(engine.call('describe', { model: 'pockte' }), /no model 'pockte'.*Embedded: 'pocket'/);
  });

  it('refuses an unknown task and wrong parameters', async () => {
    await assert.rejects(
      engine.call('explode' as TaskName, {} as never),
      /the engine has no task 'explode'\. It has: describe/,
    );
    const wrong = { image, question: 7 as unknown as string };
    await assert.rejects(
      engine.call('generate', wrong),
      /LensError: the request 'generate' is not as expected: question: /,
    );
    const uncloneable = { image: (() => 1) as never, question };
    await assert.rejects(engine.call('generate', uncloneable), /LensError: the request cannot be sent to the engine/);
    assert.equal((await engine.call('tokenize', { text: 'cat' })).text, 'cat');
  });

  it('answers calls in their order', async () => {
    const order: string[] = [];
    const calls = ['dog', 'cat', 'bus'].map(async (text) => {
      await engine.call('tokenize', { text });
      order.push(text);
    });
    await Promise.all(calls);
    assert.deepEqual(order, ['dog', 'cat', 'bus']);
  });

  it('killed in the middle of a run: that call fails clearly, and the next one works', async () => {
    const { call, running } = underWay(engine);
    const waiting = engine.call('tokenize', { text: 'waiting' });
    await running;
    const pid = engine.pid!;
    process.kill(pid, 'SIGKILL');
    await assert.rejects(call, (error: Error) => {
      assert.ok(error instanceof LensError);
      assert.match(
        error.message,
        /^the engine process was killed \(SIGKILL\) while it was working\. The next call starts it again\. It may have run out of memory\.$/,
      );
      return true;
    });
    assert.equal((await waiting).text, 'waiting');
    assert.notEqual(engine.pid, pid);
  });

  it('killed while idle: nobody notices', async () => {
    await engine.call('tokenize', { text: 'dog' });
    const pid = engine.pid!;
    process.kill(pid, 'SIGKILL');
    assert.ok(await gone(pid));
    assert.equal((await engine.call('tokenize', { text: 'dog' })).text, 'dog');
  });

  it('stops between two steps when it is asked to, and stays alive', async () => {
    // Given time enough, that on a busy machine too it stops of its own accord.
    const patient = new Engine({ stopMs: 60_000 });
    const controller = new AbortController();
    const { call, running } = underWay(patient, controller.signal);
    await running;
    const pid = patient.pid;
    controller.abort();
    await assert.rejects(call, (error: Error) => error instanceof AbortError);
    await patient.call('tokenize', { text: 'dog' });
    assert.equal(patient.pid, pid);
    await patient.close();
  });

  it('a progress callback that throws fails its own call only', async () => {
    const onProgress = () => {
      throw new Error('listener broke');
    };
    const call = engine.call('generate', { image, question, maxNewTokens: 3 }, { onProgress });
    await assert.rejects(call, /listener broke/);
    assert.equal((await engine.call('tokenize', { text: 'dog' })).text, 'dog');
  });

  it('is killed when it does not stop in time, and the next call works', async function () {
    if (process.platform === 'win32')
      skipBecause(this, 'an engine that hangs', 'Windows has no signal to stop a process');
    const controller = new AbortController();
    const { call, running } = underWay(engine, controller.signal);
    await running;
    const pid = engine.pid!;
    // A stopped process hears nothing, like one in the middle of a long native run.
    process.kill(pid, 'SIGSTOP');
    const start = Date.now();
    controller.abort();
    await assert.rejects(call, (error: Error) => error instanceof AbortError);
    assert.ok(Date.now() - start < 5000, `${Date.now() - start} ms`);
    assert.ok(await gone(pid));
    assert.equal((await engine.call('tokenize', { text: 'dog' })).text, 'dog');
  });

  it('drops a waiting call at once', async () => {
    const controller = new AbortController();
    const first = engine.call('tokenize', { text: 'first' });
    const second = engine.call('tokenize', { text: 'second' }, { signal: controller.signal });
    controller.abort();
    await assert.rejects(second, (error: Error) => error.name === 'AbortError');
    assert.equal((await first).text, 'first');
    await assert.rejects(engine.call('tokenize', { text: 'third' }, { signal: controller.signal }), /interrupted/);
  });

  it('ends when idle and comes back', async () => {
    const brief = new Engine({ idleMs: 50 });
    await brief.call('tokenize', { text: 'dog' });
    const pid = brief.pid!;
    assert.ok(await gone(pid));
    assert.equal((await brief.call('tokenize', { text: 'cat' })).text, 'cat');
    await brief.close();
  });

  it('close() ends it and fails what runs and waits', async () => {
    const other = new Engine();
    const { call, running } = underWay(other);
    const waiting = other.call('tokenize', { text: 'dog' });
    await running;
    const pid = other.pid!;
    const failures = Promise.all([call, waiting].map((promise) => assert.rejects(promise, /the engine was closed/)));
    await other.close();
    await failures;
    assert.ok(!alive(pid));
  });

  describe('and the process around it', () => {
    const client = JSON.stringify(new URL('../../kernel/engine/client.ts', import.meta.url).href);
    const script = (body: string) => [
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `const { Engine } = await import(${client}); const engine = new Engine(); ${body}`,
    ];
    const cwd = fileURLToPath(new URL('../..', import.meta.url));

    it('a script ends although the engine is idle, and leaves no orphan', async () => {
      const body = `await engine.call('tokenize', { text: 'dog' }); console.log(engine.pid)`;
      const { stdout } = await promisify(execFile)(process.execPath, script(body), { cwd, timeout: 30_000 });
      assert.ok(await gone(Number(stdout)));
    });

    it('ends when its parent is killed', async () => {
      const body = `await engine.call('tokenize', { text: 'dog' }); console.log(engine.pid); setInterval(() => {}, 1e6)`;
      const parent = spawn(process.execPath, script(body), { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
      const [output] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(output.toString());
      assert.ok(alive(pid));
      parent.kill('SIGKILL');
      assert.ok(await gone(pid), 'the engine outlived its parent');
    });
  });
});
