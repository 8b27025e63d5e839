import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };
import { quickInput, until } from '../gestures.ts';
import { describeInVsCode, type Fixture } from './fixture.ts';
import { answerNotification } from './notifications.ts';
import { OpenNotebook } from './open-notebook.ts';

interface Bench extends Fixture {
  readonly notebook: OpenNotebook;
  /** Sets the setting and restarts the kernel, as the message that appears asks to. */
  set(value: unknown): Promise<void>;
}

const EXPLAIN = `await explain({ image: 'images/banana.png', question: 'What is there?', method: 'grad-cam' })`;

/** What shows that a setting takes effect. */
const TESTS: Readonly<Record<string, Readonly<Record<string, (bench: Bench) => Promise<void>>>>> = {
  'lvlmLens.node': {
    'runs the kernel on the Node that it names': async ({ notebook, set, home }) => {
      const wrapper = path.join(home, 'wrapped-node');
      const record = path.join(home, 'wrapped-node.log');
      await writeFile(wrapper, `#!/bin/sh\necho "$@" >> '${record}'\nexec '${process.execPath}' "$@"\n`, {
        mode: 0o755,
      });
      await set(wrapper);
      assert.equal(await notebook.value('1 + 1'), '2');
      assert.match(await readFile(record, 'utf8'), /kernel\.js/);
    },
    'tells of a Node that is not there, in one message': async ({ notebook, host, home }) => {
      await host.set('lvlmLens', 'node', path.join(home, 'no-such-node'));
      await notebook.call(`await vscode.commands.executeCommand('lvlmLens.restartKernel')`);
      const { success, outputs } = await notebook.run('1 + 1');
      assert.equal(success, false);
      assert.equal(outputs.length, 1);
      assert.match(outputs[0]!.text, /the setting \\"lvlmLens\.node\\" names .*no-such-node.*which cannot be run/);
    },
  },
  'lvlmLens.executionProvider': {
    'is where models run; one that is not here is named when a model is loaded': async ({ notebook, set }) => {
      const absent = process.platform === 'darwin' ? 'cuda' : 'coreml';
      await set(absent);
      const { success, outputs } = await notebook.run(`await loadModel('pocket')`);
      assert.equal(success, false);
      assert.match(outputs.at(-1)!.text, new RegExp(`no execution provider \\\\"${absent}\\\\" on this machine`));
    },
  },
  'lvlmLens.threads': {
    'is how many threads a model has': async ({ notebook, set }) => {
      const threads = async (): Promise<number> =>
        Number(
          await notebook.value(
            `await loadModel('pocket');
             const { execFileSync } = require('node:child_process');
             const ps = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\\n').map((line) => line.trim().split(/\\s+/));
             const [engine] = ps.find(([, parent, ...args]) => Number(parent) === process.pid && args.some((arg) => arg.endsWith('engine.js')))!;
             process.platform === 'linux' ? require('node:fs').readdirSync(\`/proc/\${engine}/task\`).length : Number(process.env.LVLM_LENS_THREADS)`,
          ),
        );
      await set(1);
      const one = await threads();
      await set(9);
      const nine = await threads();
      assert.ok(nine >= one + 8, `${one} threads with 1, ${nine} with 9`);
    },
  },
  'lvlmLens.modelFolder': {
    'is where models are found, offered and loaded from': async ({ notebook, set, host, home }) => {
      const folder = path.join(home, 'models');
      const repository = path.join(folder, 'models--put-there--by-hand');
      const commit = '0123456789abcdef0123456789abcdef01234567';
      cpSync('models/pocket', path.join(repository, 'snapshots', commit), { recursive: true });
      await mkdir(path.join(repository, 'refs'));
      await writeFile(path.join(repository, 'refs', 'main'), commit);
      await set(folder);
      assert.match(await notebook.value(`(await loadModel('put-there/by-hand')).id`), /'put-there\/by-hand'/);
      await host.begin('lvlmLens.selectModel');
      const { widget } = quickInput(host.page);
      await widget.getByText('put-there/by-hand').waitFor();
      assert.match(await widget.locator('.monaco-list-row', { hasText: 'by-hand' }).innerText(), /MB\s+Downloaded/);
      await host.page.keyboard.press('Escape');
    },
  },
  'lvlmLens.model': {
    'is the model of calls that name none': async ({ notebook, set }) => {
      await set('pocket-duo');
      assert.match(await notebook.value(`(${EXPLAIN}).explanation.model.id`), /'pocket-duo'/);
    },
  },
  'lvlmLens.defaultMethod': {
    'is the method of calls that name none': async ({ notebook, set }) => {
      await set('grad-cam');
      const code = EXPLAIN.replace(`, method: 'grad-cam'`, '');
      assert.match(await notebook.value(`(${code}).explanation.provenance.method`), /'grad-cam'/);
    },
  },
};

describeInVsCode('settings', (fixture) => {
  let notebook: OpenNotebook;

  before(async () => {
    notebook = await OpenNotebook.make(fixture().host, 'settings.ipynb');
    await notebook.value('1');
  });

  after(async () => {
    await notebook?.close();
  });

  it('are all tested', () => {
    assert.deepEqual(Object.keys(TESTS), Object.keys(manifest.contributes.configuration.properties));
  });

  for (const [setting, tests] of Object.entries(TESTS)) {
    const [section, name] = setting.split('.') as [string, string];

    describe(setting, () => {
      afterEach(() => fixture().host.set(section, name, undefined));

      for (const [what, test] of Object.entries(tests)) {
        it(what, async () => {
          const { host } = fixture();
          const set = async (value: unknown): Promise<void> => {
            const before = await notebook.value('process.pid');
            await host.command('notifications.clearAll');
            await host.set(section, name, value);
            await answerNotification(host, 'The new settings of LVLM Lens apply', 'Restart Kernel');
            await until('another kernel runs', async () => (await notebook.value('process.pid')) !== before);
          };
          await test({ ...fixture(), notebook, set });
        });
      }
    });
  }
});
