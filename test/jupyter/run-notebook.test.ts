import assert from 'node:assert/strict';
import { parseNotebook, joinLines, type CodeCell, type Notebook } from '../../kernel/jupyter/notebook.ts';
import { runNotebook } from '../../kernel/jupyter/run-notebook.ts';
import { temporaryFolder, tinyLibrary } from './tiny-library.ts';

const folder = temporaryFolder('run');
const library = tinyLibrary();

/** A notebook of code cells, and Markdown where a source begins with #. */
function notebookOf(...sources: string[]): Notebook {
  const cells = sources.map((source, index) => {
    const common = { id: `cell-${index}`, metadata: {}, source };
    return source.startsWith('#')
      ? { cell_type: 'markdown', ...common }
      : {
          cell_type: 'code',
          ...common,
          execution_count: 99,
          outputs: [{ output_type: 'stream', name: 'stdout', text: 'old' }],
        };
  });
  return parseNotebook(JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }), 'test').notebook;
}

function codeCells(notebook: Notebook): CodeCell[] {
  return notebook.cells.filter((cell) => cell.cell_type === 'code');
}

describe('running a notebook', function () {
  this.timeout(120_000);

  it('runs the cells in its folder, counts them, and replaces old outputs', async () => {
    const before = process.cwd();
    const markdown = '# <script>alert("no")</script>';
    const { notebook, failed } = await runNotebook(
      notebookOf(markdown, 'const n = twice(21); console.log(process.cwd())', '', 'n', 'n.toString(2)'),
      { folder, library },
    );
    assert.equal(failed, undefined);
    assert.equal(process.cwd(), before);
    assert.deepEqual(notebook.cells[0], { cell_type: 'markdown', id: 'cell-0', metadata: {}, source: markdown });
    const [first, empty, second, third] = codeCells(notebook);
    assert.deepEqual(first!.outputs, [{ name: 'stdout', output_type: 'stream', text: [`${folder}\n`] }]);
    assert.deepEqual(
      [first, empty, second, third].map((cell) => cell!.execution_count),
      [1, null, 2, 3],
    );
    assert.deepEqual(empty!.outputs, []);
    assert.deepEqual(second!.outputs, [
      { data: { 'text/plain': ['42'] }, execution_count: 2, metadata: {}, output_type: 'execute_result' },
    ]);
    assert.deepEqual(notebook.metadata.kernelspec, {
      display_name: 'LVLM Lens (TypeScript)',
      language: 'typescript',
      name: 'lvlm-lens',
    });
  });

  it('stops at the first error, keeps what was done, and says which cell it was', async () => {
    const { notebook, failed } = await runNotebook(notebookOf('1', 'throw new RangeError("too far")', '3'), {
      folder,
      library,
    });
    assert.deepEqual([failed?.cell, failed?.ename, failed?.evalue], [2, 'RangeError', 'too far']);
    const [one, two, three] = codeCells(notebook);
    assert.equal(one!.outputs.length, 1);
    const error = two!.outputs[0]!;
    assert.ok(error.output_type === 'error');
    assert.equal(error.ename, 'RangeError');
    assert.match(error.traceback.join('\n'), /cell 2, line 1/);
    assert.deepEqual([three!.execution_count, three!.outputs], [null, []]);
  });

  it('goes on after errors when told to', async () => {
    const { notebook, failed } = await runNotebook(notebookOf('const a: number = ""', 'throw 1', '"still here"'), {
      folder,
      library,
      allowErrors: true,
    });
    assert.equal(failed?.cell, 1);
    const [type, thrown, last] = codeCells(notebook);
    assert.equal(type!.outputs[0]!.output_type, 'error');
    assert.equal(thrown!.outputs[0]!.output_type, 'error');
    assert.deepEqual(last!.outputs[0]!.output_type, 'execute_result');
  });

  it('stops when it is interrupted, whatever errors are allowed', async () => {
    const controller = new AbortController();
    const { notebook, interrupted } = await runNotebook(
      notebookOf('setTimeout(() => console.log("started"), 0); await new Promise(() => undefined)', '2'),
      {
        folder,
        library,
        allowErrors: true,
        signal: controller.signal,
        onEvent(event) {
          if (event.type === 'stream') controller.abort();
        },
      },
    );
    assert.equal(interrupted, true);
    const [first, second] = codeCells(notebook);
    assert.equal(first!.outputs.at(-1)!.output_type, 'error');
    assert.equal(second!.execution_count, null);
  });

  it('takes a huge output and hostile text as data', async () => {
    const hostile = '<img src=x onerror=alert(1)></script>\u001b[31m';
    const { notebook } = await runNotebook(
      notebookOf(`for (let i = 0; i < 20000; i++) console.log("y".repeat(100)); ${JSON.stringify(hostile)}`),
      { folder, library },
    );
    const [stream, result] = codeCells(notebook)[0]!.outputs;
    assert.ok(stream?.output_type === 'stream');
    assert.equal(joinLines(stream.text).length, 20_000 * 101);
    assert.ok(result?.output_type === 'execute_result');
    assert.match(
      joinLines(result.data['text/plain'] as string[]),
      /<img src=x onerror=alert\(1\)><\/script>\\x1B\[31m/,
    );
  });
});
