import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { METHODS } from '../../kernel/attribution/methods.ts';
import type { LensDocument } from '../../kernel/document.ts';
import { readNotebook, type CodeCell } from '../../kernel/jupyter/notebook.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { lvlmLens, saw, start } from './command.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const IMAGE = path.join(ROOT, 'notebooks/images/banana.png');

/** Writes a notebook of code cells (Markdown where a source begins with #) and returns its path. */
function writeCells(folder: string, name: string, ...sources: string[]): string {
  const cells = sources.map((source, index) => ({
    ...(source.startsWith('#') ? { cell_type: 'markdown' } : { cell_type: 'code', execution_count: null, outputs: [] }),
    id: `c${index}`,
    metadata: {},
    source,
  }));
  const file = path.join(folder, name);
  writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }));
  return file;
}

async function codeCells(file: string): Promise<CodeCell[]> {
  const { notebook } = await readNotebook(file);
  return notebook.cells.filter((cell) => cell.cell_type === 'code');
}

describe('the lvlm-lens command', function () {
  this.timeout(180_000);
  const folder = temporaryFolder('command');

  it('prints its version and its help, with every command', async () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
    assert.deepEqual(await lvlmLens(['--version'], folder), { code: 0, stdout: `${version}\n`, stderr: '' });
    const { code, stdout } = await lvlmLens(['--help'], folder);
    assert.equal(code, 0);
    for (const command of ['explain', 'run', 'export', 'demo'])
      assert.match(stdout, new RegExp(`^ {2}${command}`, 'm'));
  });

  describe('explain', () => {
    it('prints the answer with its tokens, and writes the files asked for', async () => {
      const json = path.join(folder, 'result.json');
      const html = path.join(folder, 'result.html');
      const { code, stdout, stderr } = await lvlmLens(
        ['explain', IMAGE, 'What colour is the background?', '-o', json, '-o', html, '--seed', '7', '--no-metrics'],
        folder,
      );
      assert.equal(code, 0, stderr);
      const document = JSON.parse(readFileSync(json, 'utf8')) as LensDocument;
      const [explanation] = document.explanations;
      assert.equal(explanation!.question, 'What colour is the background?');
      assert.equal(explanation!.provenance.seed, 7);
      assert.deepEqual(explanation!.curves, []);
      assert.match(stdout, /^Question {2}What colour is the background\?\nAnswer {4}\S/);
      const lines = stdout.split('\n').filter((line) => /^[* ] +-?\d+\.\d\d +-?\d+\.\d\d {2}/.test(line));
      assert.equal(lines.length, explanation!.answer.tokens.length);
      assert.equal(
        lines.filter((line) => line.startsWith('*')).length,
        explanation!.answer.tokens.filter(({ selected }) => selected).length,
      );
      assert.match(stderr, new RegExp(`wrote ${json.replaceAll('\\', '\\\\')}`));
      assert.match(readFileSync(html, 'utf8'), /^<!doctype html>/i);
    });

    it('scores a given answer', async () => {
      const { code, stdout, stderr } = await lvlmLens(
        ['explain', IMAGE, 'What is there?', '--answer', 'banana', '--no-metrics', '--no-per-token'],
        folder,
      );
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^Answer {4}banana {2}\(given\)$/m);
    });

    it('says in one line that the image is missing', async () => {
      const { code, stdout, stderr } = await lvlmLens(['explain', 'missing.png', 'What is there?'], folder);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^cannot read the image ".*missing\.png": the file does not exist.*\n$/);
    });

    it('names the methods when there is none of that name', async () => {
      const { code, stderr } = await lvlmLens(['explain', IMAGE, 'What is there?', '--method', 'igos'], folder);
      assert.equal(code, 1);
      assert.match(stderr, /"igos".*igos\+\+/);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
  });

  it('lists every method in the help of the commands that take one', async () => {
    for (const command of ['explain', 'dataset']) {
      const { stdout } = await lvlmLens([command, '--help'], folder);
      const help = stdout.replace(/\s+/g, ' ');
      assert.ok(help.includes(`attribution method: ${[...METHODS.keys()].join(', ')}`), help);
      for (const shared of ['--preset', '--seed', '--max-new-tokens', '--no-metrics']) assert.ok(help.includes(shared));
    }
  });

  const misuse: [what: string, args: string[], message: RegExp][] = [
    [
      'an unknown option, with the nearest one',
      ['explain', IMAGE, 'q', '--modle', 'x'],
      /unknown option '--modle'[^]*--model/,
    ],
    ['an unknown command', ['explian'], /unknown command 'explian'[^]*explain/],
    ['a missing argument', ['explain', IMAGE], /missing required argument 'question'/],
    ['a seed that is no number', ['explain', IMAGE, 'q', '--seed', 'x'], /must be a number/],
    ['too many arguments', ['run', 'a.ipynb', 'b.ipynb'], /too many arguments/],
  ];
  for (const [what, args, message] of misuse) {
    it(`exits with 2 for ${what}`, async () => {
      const { code, stderr } = await lvlmLens(args, folder);
      assert.equal(code, 2);
      assert.match(stderr, message);
    });
  }

  describe('run', () => {
    it('executes a notebook in its own folder and writes it elsewhere', async () => {
      const file = writeCells(
        folder,
        'a.ipynb',
        '# <script>alert(1)</script>',
        'const types: LensDocument[] = []; process.cwd()',
        'typeof explain + typeof display',
      );
      const before = readFileSync(file, 'utf8');
      const output = path.join(folder, 'b.ipynb');
      const { code, stderr } = await lvlmLens(['run', file, '-o', output], ROOT);
      assert.equal(code, 0, stderr);
      assert.equal(readFileSync(file, 'utf8'), before);
      const results = (await codeCells(output)).map((cell) => cell.outputs[0]);
      assert.deepEqual(
        results.map((result) => result?.output_type === 'execute_result' && result.data['text/plain']),
        [[`'${folder}'`], ["'functionfunction'"]],
      );
    });

    it('stops at an error with the place in the cell, writes what was done, and exits with 1', async () => {
      const file = writeCells(folder, 'fails.ipynb', '"done"', 'const x = 1;\nthrow new Error("halt")', '"never"');
      const { code, stderr } = await lvlmLens(['run', file], folder);
      assert.equal(code, 1);
      assert.match(stderr, /cell 2 failed\n\nError: halt\n\s+at cell 2, line 2, column 7/);
      assert.deepEqual(
        (await codeCells(file)).map(({ outputs }) => outputs.map((output) => output.output_type)),
        [['execute_result'], ['error'], []],
      );
    });

    it('goes on after errors with --allow-errors', async () => {
      const file = writeCells(folder, 'allowed.ipynb', 'throw new Error("halt")', '"reached"');
      const { code, stderr } = await lvlmLens(['run', file, '--allow-errors'], folder);
      assert.equal(code, 0, stderr);
      assert.equal((await codeCells(file))[1]!.outputs[0]!.output_type, 'execute_result');
    });

    it('says that a file is no notebook', async () => {
      const file = path.join(folder, 'text.ipynb');
      writeFileSync(file, 'not a notebook');
      const { code, stderr } = await lvlmLens(['run', file], folder);
      assert.equal(code, 1);
      assert.match(stderr, /text\.ipynb" is not a notebook: it is not valid JSON/);
    });

    const endless: [what: string, cell: string][] = [
      ['a cell that waits', 'await new Promise((resolve) => setTimeout(resolve, 1e6))'],
      ['a loop without end', 'for (;;) {}'],
    ];
    for (const [what, cell] of endless) {
      it(`is stopped by Ctrl+C in ${what}, and writes what was done`, async function () {
        // Windows has no SIGINT to send to a child.
        if (process.platform === 'win32') this.skip();
        const file = writeCells(folder, 'endless.ipynb', '"done"', cell, '"never"');
        const { child, finished } = start(['run', file], folder);
        await saw(child, /cell 2 of 3/);
        await new Promise((resolve) => setTimeout(resolve, 1500));
        child.kill('SIGINT');
        const { code, stderr } = await finished;
        assert.equal(code, 130, stderr);
        assert.match(stderr, /interrupted/);
        assert.deepEqual(
          (await codeCells(file)).map(({ outputs }) => outputs.map((output) => output.output_type)),
          [['execute_result'], ['error'], []],
        );
      });
    }
  });

  it('export makes one page in which hostile text stays text', async () => {
    const file = writeCells(
      folder,
      'hostile.ipynb',
      '# Title\n\n<script>alert("md")</script><img src=x onerror="alert(2)">',
      'console.log("</pre><script>alert(3)</script>")',
    );
    assert.equal((await lvlmLens(['run', file], folder)).code, 0);
    const { code, stderr } = await lvlmLens(['export', file], folder);
    assert.equal(code, 0, stderr);
    const page = readFileSync(path.join(folder, 'hostile.html'), 'utf8');
    assert.match(page, /&lt;script&gt;alert\(3\)/);
    assert.doesNotMatch(page, /<script>alert/);
    assert.doesNotMatch(page, /<img[^>]*onerror/);
  });
});
