import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MIME_TYPE } from '../../kernel/document.ts';
import { lvlmLens } from '../cli/command.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { skipBecause } from '../skip.ts';
import { executed } from './executed.ts';
import { jupyterHost, runProgram, type JupyterHost } from './jupyter-host.ts';

const SCRIPTS = path.resolve(import.meta.dirname, 'jupyter');
const NOTEBOOKS = path.resolve(import.meta.dirname, '../../notebooks');

interface Output {
  readonly output_type: string;
  readonly name?: string;
  readonly text?: string | string[];
  readonly data?: Readonly<Record<string, unknown>>;
  readonly ename?: string;
}

interface SavedNotebook {
  readonly cells: readonly {
    readonly cell_type: string;
    readonly source: string | string[];
    readonly execution_count?: number | null;
    /** Of code cells. */
    readonly outputs: readonly Output[];
  }[];
}

describe('Jupyter', function () {
  // A machine may be busy; nothing here measures speed.
  this.timeout(900_000);
  let host: JupyterHost;
  const folder = temporaryFolder('jupyter-tests');

  before(async function () {
    this.timeout(900_000);
    const found = await jupyterHost();
    if ('missing' in found) skipBecause(this, 'Jupyter', found.missing);
    host = found;
  });

  async function python(script: string, ...args: string[]): Promise<string> {
    const { code, output } = await runProgram(host, 'python', [path.join(SCRIPTS, script), ...args], { cwd: folder });
    assert.equal(code, 0, output);
    return output;
  }

  /** Executes notebooks with one nbconvert and reads what it saved in `target`, in the order of their names. */
  async function nbconvert(
    notebooks: readonly string[],
    options: readonly string[] = [],
    env = {},
    target = temporaryFolder('nbconvert'),
  ) {
    const args = [
      'nbconvert',
      '--to',
      'notebook',
      '--NbConvertApp.use_output_suffix=False',
      '--execute',
      ...options,
      '--output-dir',
      target,
      ...notebooks,
    ];
    const { code, output } = await runProgram(host, 'jupyter', args, { env: { ...host.env, ...env } });
    assert.equal(code, 0, output);
    return await Promise.all(
      notebooks.map(async (notebook) => {
        const text = await readFile(path.join(target, path.basename(notebook)), 'utf8');
        return JSON.parse(text) as SavedNotebook;
      }),
    );
  }

  it('passes its conformance suite, no part left out', async () => {
    const output = await python('conformance.py');
    assert.match(output, /Ran 13 tests/);
    assert.match(output, /\nOK\n/, 'nothing is skipped');
  });

  it('keeps its promises to jupyter_client: interrupts, restarts, crashes, floods of output', async () => {
    const output = await python('client.py');
    assert.match(output, /Ran 19 tests/);
    assert.match(output, /\nOK\n/, 'nothing is skipped');
  });

  it('works in the console', async () => {
    assert.match(await python('console.py', path.join(NOTEBOOKS, 'images/banana.png')), /ok\n$/);
  });

  it('executes every notebook of this project for nbconvert, and leaves what viewers can show', async function () {
    this.timeout(1_800_000);
    const names = (await readdir(NOTEBOOKS)).filter((name) => name.endsWith('.ipynb')).sort();
    assert.ok(names.length > 0);
    const files = names.map((name) => path.join(NOTEBOOKS, name));
    // At the same time, with a thread each: that is quicker than one after the other with two.
    const env = { LVLM_LENS_THREADS: '1' };
    const target = temporaryFolder('executed');
    const [strict, lenient] = await Promise.all([
      nbconvert(files, [], env, target),
      nbconvert(files, ['--allow-errors'], env),
    ]);
    for (const name of names) executed.set(name, path.join(target, name));
    for (const [index, name] of names.entries()) {
      for (const { cells } of [strict[index]!, lenient[index]!]) {
        const ran = cells.filter(({ cell_type, source }) => cell_type === 'code' && source.length > 0);
        assert.deepEqual(
          ran.map(({ execution_count }) => execution_count),
          ran.map((_, index) => index + 1),
          name,
        );
        const outputs = ran.flatMap((cell) => cell.outputs);
        assert.ok(
          outputs.some(({ data }) => data?.[MIME_TYPE] !== undefined && data['image/png'] !== undefined),
          name,
        );
        const progress = outputs.filter(({ data }) => /█|\d steps\/s/.test(JSON.stringify(data?.['text/plain'] ?? '')));
        assert.deepEqual(progress, [], `${name}: progress is left among the outputs`);
        assert.ok(!outputs.some(({ output_type }) => output_type === 'error'), name);
      }
      // A stream may come in several messages, as time passes between two lines; nbclient saves one output for each.
      const kinds = ({ cells }: SavedNotebook) =>
        cells.map(({ outputs = [] }) =>
          outputs
            .filter(({ name }, index) => name === undefined || name !== outputs[index - 1]?.name)
            .map(({ output_type, name, data }) => [output_type, name, Object.keys(data ?? {})]),
        );
      assert.deepEqual(kinds(lenient[index]!), kinds(strict[index]!), `${name}: the same with --allow-errors`);
    }
  });

  it('goes on after an error with --allow-errors, and stops without', async () => {
    const notebook = path.join(folder, 'errors.ipynb');
    const cell = (id: string, source: string): object => ({
      cell_type: 'code',
      id,
      source,
      metadata: {},
      execution_count: null,
      outputs: [],
    });
    const cells = [
      cell('a', 'console.log("before"); 1'),
      cell('b', 'const kept = 2;\nthrow new Error("on purpose")'),
      cell('c', 'kept'),
    ];
    const metadata = {
      kernelspec: { name: 'lvlm-lens', display_name: 'LVLM Lens (TypeScript)', language: 'typescript' },
    };
    await writeFile(notebook, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }));
    const [saved] = await nbconvert([notebook], ['--allow-errors']);
    assert.deepEqual(
      saved!.cells.map(({ outputs }) => outputs.map(({ output_type }) => output_type)),
      [['stream', 'execute_result'], ['error'], ['execute_result']],
    );
    const stopped = await runProgram(host, 'jupyter', [
      'nbconvert',
      '--to',
      'notebook',
      '--execute',
      notebook,
      '--stdout',
    ]);
    assert.notEqual(stopped.code, 0);
    assert.match(stopped.output, /on purpose/);
    assert.match(stopped.output, /> 2 \| throw new Error\("on purpose"\)/);
  });

  it('learns of the kernel by our command, and forgets it', async () => {
    const prefix = path.join(folder, 'prefix');
    await mkdir(prefix);
    const data = path.join(folder, 'data');
    const env = { PATH: host.env['PATH'] ?? '', JUPYTER_DATA_DIR: data };
    const installed = await lvlmLens(['jupyter', 'install', '--prefix', prefix], folder, env);
    assert.equal(installed.code, 0, installed.stderr);
    const spec = path.join(prefix, 'share/jupyter/kernels/lvlm-lens');
    assert.equal(installed.stdout.split('\n')[0], spec);
    assert.deepEqual((await readdir(spec)).sort(), ['kernel.json', 'logo-32x32.png', 'logo-64x64.png', 'logo-svg.svg']);
    const { interrupt_mode, language } = JSON.parse(await readFile(path.join(spec, 'kernel.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    assert.deepEqual([interrupt_mode, language], ['message', 'typescript']);
    const removed = await lvlmLens(['jupyter', 'uninstall', '--prefix', prefix], folder, env);
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal(removed.stdout.split('\n')[0], spec);
    assert.deepEqual(await readdir(path.join(prefix, 'share/jupyter/kernels')), []);

    const user = await lvlmLens(['jupyter', 'install', '--user'], folder, env);
    assert.equal(user.stdout.split('\n')[0], path.join(data, 'kernels/lvlm-lens'));
    const both = await lvlmLens(['jupyter', 'install', '--user', '--sys-prefix'], folder, env);
    assert.equal(both.code, 2);
    const gone = await lvlmLens(['jupyter', 'uninstall', '--user'], folder, env);
    assert.equal(gone.stdout, user.stdout);
  });

  it('is missed with a clear message', async () => {
    const { code, stderr } = await lvlmLens(['jupyter', 'install'], folder, { PATH: folder });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Jupyter was not found: none of "jupyter", .* runs\. Install it with "pip install jupyterlab"/,
    );
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
});
