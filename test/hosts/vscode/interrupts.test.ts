import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from '../gestures.ts';
import { describeInVsCode } from './fixture.ts';
import { OpenNotebook } from './open-notebook.ts';

const execute = promisify(execFile);

/** Takes minutes where nothing stops it. */
const LONG = `await explain({
  image: 'images/banana.png',
  question: 'What is there?',
  tokens: 'all',
  method: { name: 'igos++', preset: 'paper', iterations: 1000 },
})`;

const QUICK = `(await explain({ image: 'images/banana.png', question: 'What is there?', method: 'grad-cam' })).answer`;

/** What a cell can be at when it is interrupted. Before it, a file is written: no output can come out of a loop's process in time to tell. */
const STATES: Readonly<Record<string, string>> = {
  'a synchronous loop': 'begun(); for (;;) {}',
  'a pending await': 'begun(); await new Promise(() => {})',
  'a synchronous loop after an await': 'await new Promise((done) => setTimeout(done, 50)); begun(); for (;;) {}',
};

describeInVsCode('interrupts and crashes', (fixture) => {
  let notebook: OpenNotebook;
  let kernel: number;

  before(async () => {
    notebook = await OpenNotebook.make(fixture().host, 'interrupts.ipynb');
    kernel = Number(await notebook.value('let kept = 41;\nprocess.pid'));
  });

  after(async () => {
    await notebook?.close();
  });

  async function isAsBefore(): Promise<void> {
    assert.equal(await notebook.value('kept + 1'), '42');
    assert.equal(Number(await notebook.value('process.pid')), kernel, 'it is the same kernel');
  }

  /** The cell that runs ends with one message. */
  async function endsWith(message: RegExp): Promise<void> {
    const { success, outputs } = await notebook.over();
    assert.equal(success, false);
    assert.equal(outputs.length, 1, JSON.stringify(outputs));
    assert.match(outputs[0]!.text, message);
  }

  for (const [what, code] of Object.entries(STATES)) {
    it(`stops ${what}, and keeps the variables`, async () => {
      const file = path.join(fixture().home, `${what.replaceAll(' ', '-')}.begun`);
      const begun = `const begun = () => require('node:fs').writeFileSync(${JSON.stringify(file)}, '');`;
      await notebook.begin(`${begun}\n${code}`);
      await until('the cell has begun', () => Promise.resolve(existsSync(file)));
      await notebook.interrupt();
      await endsWith(/interrupted/);
      await isAsBefore();
    });
  }

  it('stops a native run in the engine, and keeps variables and models', async () => {
    await notebook.value(`const model = await loadModel('pocket');\nmodel.id`);
    await notebook.begin(LONG);
    await notebook.progress();
    await until('the map so far is shown', async () =>
      (await notebook.last()).outputs.some(({ mimes }) => mimes.includes('image/png')),
    );
    await notebook.interrupt();
    await endsWith(/interrupted/);
    await isAsBefore();
    assert.match(await notebook.value('model.id'), /pocket/);
  });

  it('tells of a killed engine in one message, and the next cell works', async () => {
    await notebook.begin(LONG);
    await notebook.progress();
    const { stdout } = await execute('ps', ['-eo', 'pid=,ppid=,args=']);
    const engine = stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(([, parent, ...args]) => Number(parent) === kernel && args.some((arg) => arg.endsWith('engine.js')));
    assert.ok(engine, stdout);
    process.kill(Number(engine[0]), 'SIGKILL');
    await endsWith(/the engine process was killed/);
    assert.match(await notebook.value(QUICK), /\w/);
    await isAsBefore();
  });

  it('runs two notebooks at once, and neither disturbs the other', async () => {
    const other = await OpenNotebook.make(fixture().host, 'other.ipynb');
    const file = path.join(fixture().home, 'loop.begun');
    await notebook.begin(`require('node:fs').writeFileSync(${JSON.stringify(file)}, ''); for (;;) {}`);
    await until('the loop has begun', () => Promise.resolve(existsSync(file)));
    assert.equal(await other.value(`let kept = 'mine';\nkept`), `'mine'`);
    assert.notEqual(Number(await other.value('process.pid')), kernel);
    await other.interrupt();
    assert.equal((await notebook.last()).success, undefined, 'the loop goes on');
    await notebook.interrupt();
    await endsWith(/interrupted/);
    assert.equal(await other.value('kept'), `'mine'`);
    await other.close();
    await isAsBefore();
  });
});
