import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator } from 'playwright-core';
import { MIME_TYPE } from '../../../kernel/document.ts';
import { joinLines, parseNotebook, type CodeCell } from '../../../kernel/jupyter/notebook.ts';
import { skipBecause } from '../../skip.ts';
import { accept, PATIENCE, until } from '../gestures.ts';
import { jupyterHost, runProgram } from '../jupyter-host.ts';
import { describeInVsCode } from './fixture.ts';
import { OpenNotebook } from './open-notebook.ts';

const THEMES: Readonly<Record<string, string>> = {
  light: 'Default Light Modern',
  dark: 'Default Dark Modern',
  'high-contrast': 'Default High Contrast',
  'high-contrast-light': 'Default High Contrast Light',
};

/** Of each output of a saved notebook: its type, and the text or the kinds of data that it has. */
async function outputsOf(file: string): Promise<readonly string[]> {
  const { cells } = parseNotebook(await readFile(file, 'utf8'), file).notebook;
  return cells.flatMap((cell) =>
    (cell.cell_type === 'code' ? cell.outputs : []).map((output) => {
      if (output.output_type === 'stream') return `stream: ${joinLines(output.text)}`;
      if (output.output_type === 'error') return `error: ${output.ename}`;
      return `${output.output_type}: ${Object.keys(output.data).sort().join(', ')}`;
    }),
  );
}

/** What all other tests build on. */
const RUNS_ALL = 'offers the kernel, and runs all cells';

describeInVsCode('the quickstart notebook', (fixture) => {
  let notebook: OpenNotebook;
  let ran = false;

  const heat = (): Locator => fixture().host.outputs.locator('.heat').first();
  const pixels = () => heat().evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const chips = (): Locator => fixture().host.outputs.locator('.chip.mapped');

  /** Scrolls to the first explanation. */
  const reveal = () =>
    fixture().host.call(
      `const top = vscode.NotebookEditorRevealType.AtTop;
       vscode.window.activeNotebookEditor.revealRange(new vscode.NotebookRange(2, 3), top);`,
    );

  /** Scrolls to the end with the wheel, as a person does, and takes a picture. */
  async function pictureOfTheEnd(name: string): Promise<void> {
    await fixture().host.page.mouse.move(800, 500);
    await fixture().host.page.mouse.wheel(0, 4000);
    await sleep(500);
    await fixture().screenshot(name);
  }

  beforeEach(function () {
    if (this.currentTest?.title !== RUNS_ALL && !ran) this.skip();
  });

  it(RUNS_ALL, async function () {
    this.timeout(6 * PATIENCE);
    notebook = await OpenNotebook.open(fixture().host, 'quickstart.ipynb');
    await fixture().host.page.getByRole('button', { name: 'Run All' }).click();
    for (let cell = 0; cell < 5; cell++) {
      await until(`cell ${cell + 1} is over`, async () => (await notebook.states())[cell]!.success !== undefined);
    }
    const cells = await notebook.states();
    ran = true;
    for (const { success, outputs } of cells) assert.notEqual(success, false, outputs.at(-1)?.text);
    assert.deepEqual(
      cells.map(({ success }) => success),
      [true, true, true, true, true],
    );
    assert.deepEqual(
      cells.map(({ order }) => order),
      [1, 2, 3, 4, 5],
    );
    for (const { outputs } of cells.slice(0, 4)) {
      assert.deepEqual(
        outputs.map(({ mimes }) => mimes),
        [[MIME_TYPE, 'image/png', 'text/markdown', 'text/plain']],
      );
    }
    assert.match(cells[4]!.outputs[0]!.text, /deletion/);
    assert.equal(cells[4]!.outputs.length, 1, 'one stream is one output');
  });

  it('shows another map when a token is pointed at', async () => {
    await reveal();
    await heat().waitFor();
    const before = await pixels();
    await chips().first().hover();
    await until('the map changes', async () => (await pixels()) !== before);
  });

  for (const [name, theme] of Object.entries(THEMES)) {
    it(`is drawn in the theme '${theme}'`, async () => {
      const { host, screenshot } = fixture();
      await host.set('workbench', 'colorTheme', theme);
      const tone = /light/i.test(theme) ? 'light' : 'dark';
      await host.outputs.locator(`[data-theme='${tone}']`).first().waitFor();
      const contrast = /contrast/i.test(theme) ? 'more' : 'normal';
      await host.outputs.locator(`[data-contrast='${contrast}']`).first().waitFor();
      await sleep(500);
      await screenshot(`notebook-${name}`);
    });
  }

  it('completes, explains names and shows parameters, with what earlier cells declared', async () => {
    const ask = `
      const edit = new vscode.WorkspaceEdit();
      const data = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, args.code, 'typescript');
      edit.set(notebook.uri, [vscode.NotebookEdit.insertCells(notebook.cellCount, [data])]);
      await vscode.workspace.applyEdit(edit);
      const { document } = notebook.cellAt(notebook.cellCount - 1);
      const answer = await vscode.commands.executeCommand(args.command, document.uri, document.positionAt(args.offset), args.extra);
      const remove = new vscode.WorkspaceEdit();
      remove.set(notebook.uri, [vscode.NotebookEdit.deleteCells(new vscode.NotebookRange(notebook.cellCount - 1, notebook.cellCount))]);
      await vscode.workspace.applyEdit(remove);`;
    const at = (marked: string) => ({ code: marked.replace('|', ''), offset: marked.indexOf('|') });
    const labels = await notebook.call<string[]>(
      `${ask} return answer.items.map(({ label }) => label.label ?? label)`,
      {
        ...at('seen.tok|'),
        command: 'vscode.executeCompletionItemProvider',
      },
    );
    assert.ok(labels.includes('tokens'), `no "tokens" in ${labels.slice(0, 20).join(', ')}`);
    const hover = await notebook.call<string>(
      `${ask} return answer.map(({ contents }) => contents.map((one) => one.value ?? one).join(' ')).join(' ')`,
      { ...at('expl|ain'), command: 'vscode.executeHoverProvider' },
    );
    assert.match(hover, /explain\(options: ExplainOptions\)/);
    const help = await notebook.call<{ label: string; parameter: number; spans: unknown[] } | null>(
      `${ask} return answer && { label: answer.signatures[0].label, parameter: answer.activeParameter, spans: answer.signatures[0].parameters.map(({ label }) => label) }`,
      { ...at('loadModel("pocket", |)'), command: 'vscode.executeSignatureHelpProvider', extra: '(' },
    );
    assert.match(help?.label ?? 'nothing', /loadModel\(/);
    assert.equal(help?.parameter, 1);
    assert.equal(help?.spans.length, 2);
  });

  it('streams, clears and updates outputs', async () => {
    const { outputs } = await notebook.run(
      [
        "const shown = await display('first', { id: 'one' });",
        "console.log('a'); console.log('b'); console.error('c');",
        "await shown.update('second');",
        '6 * 7',
      ].join('\n'),
    );
    assert.deepEqual(
      outputs.map(({ text }) => text.trim()),
      ["'second'", 'a\nb', 'c', '42'],
    );
    const again = await notebook.run(`void (await display('third', { id: 'one' }));`);
    assert.deepEqual(again.outputs, []);
    assert.match((await notebook.states()).at(-2)!.outputs[0]!.text, /third/, 'an earlier cell changes');
  });

  it('asks the user for a cell that waits for input', async () => {
    await notebook.begin(`const who = await input('Who are you?');\nwho`);
    await accept(fixture().host.page, 'Who are you?', 'Ada');
    assert.match((await notebook.over()).outputs[0]?.text ?? '', /Ada/);
  });

  it("links an error to the cell's line", async () => {
    const { host } = fixture();
    const { success, outputs } = await notebook.run(`const fine = 1;\nJSON.parse('{');`);
    assert.equal(success, false);
    const { name, stack } = JSON.parse(outputs[0]!.text) as { name: string; stack: string };
    assert.equal(name, 'SyntaxError');
    assert.match(stack, /^Cell In\[\d+\], line 2$/m);
    const link = host.outputs.getByRole('link', { name: 'line 2' }).first();
    await link.waitFor();
    await pictureOfTheEnd('error');
    await link.click();
    await until('the line is selected', async () => {
      return await host.call<boolean>(`return vscode.window.activeTextEditor?.selection.active.line === 1`);
    });
  });

  it('shows the progress of a long explanation, which an interrupt ends at once; variables are kept', async () => {
    await notebook.begin(
      `await explain({ image: cafe, question: 'What is in the picture?', method: { name: 'igos++', iterations: 400, integrationSteps: 20 } })`,
    );
    await notebook.progress();
    await pictureOfTheEnd('progress');
    await notebook.interrupt();
    const { success, outputs } = await notebook.over();
    assert.equal(success, false);
    assert.equal(outputs.length, 1, 'the progress line is gone');
    assert.match(outputs[0]!.text, /AbortError/);
    assert.match(await notebook.value('seen.answer'), /\w/);
  });

  it('restarts: variables are gone, outputs stay', async () => {
    await notebook.restart();
    const { success, order, outputs } = await notebook.run('seen.answer');
    assert.equal(success, false);
    assert.equal(order, 1);
    assert.match(outputs[0]!.text, /seen/);
    assert.ok((await notebook.states())[0]!.outputs[0]!.mimes.includes(MIME_TYPE));
  });

  it('saves a notebook as Jupyter has it, and shows the outputs when it is opened again', async () => {
    await notebook.call(`await notebook.save()`);
    await fixture().host.command('workbench.action.closeAllEditors');
    const saved = parseNotebook(await readFile(notebook.file, 'utf8'), notebook.name).notebook;
    assert.equal((saved.metadata.kernelspec as { name: string }).name, 'lvlm-lens');
    const cells = saved.cells.filter((cell): cell is CodeCell => cell.cell_type === 'code');
    assert.deepEqual(
      cells.slice(0, 5).map(({ execution_count }) => execution_count),
      [1, 2, 3, 4, 5],
    );
    const [first] = cells[0]!.outputs;
    assert.equal(first?.output_type, 'execute_result');
    assert.ok(first.output_type === 'execute_result' && first.execution_count === 1);
    assert.deepEqual(Object.keys(first.data), [MIME_TYPE, 'image/png', 'text/markdown', 'text/plain']);
    assert.match(String(first.data['image/png']), /^iVBORw0KGgo/, 'pictures are base64');
    const error = cells.flatMap(({ outputs }) => outputs).find(({ output_type }) => output_type === 'error');
    assert.ok(error?.output_type === 'error' && error.traceback.join('\n').includes('line 2'));
    assert.ok(!error.traceback.join('\n').includes('Cell In['), "the traceback is the kernel's own");
    const last = cells[4]!.outputs[0];
    assert.ok(last?.output_type === 'stream' && joinLines(last.text).includes('deletion'));
    notebook = await OpenNotebook.open(fixture().host, 'quickstart.ipynb');
    await reveal();
    await heat().waitFor();
    await chips().first().waitFor();
    await notebook.close();
  });

  it('saves what Jupyter executes, with the same outputs', async function () {
    const jupyter = await jupyterHost();
    if ('missing' in jupyter) skipBecause(this, 'VS Code: a saved notebook in Jupyter', jupyter.missing);
    const { host } = fixture();
    const written = await OpenNotebook.make(host, 'saved.ipynb');
    await written.value("console.log('a line');\n6 * 7");
    await written.value(
      "await explain({ image: 'images/banana.png', question: 'What is there?', method: 'grad-cam' })",
    );
    await written.call(`await notebook.save()`);
    await written.close();
    const args = ['nbconvert', '--to', 'notebook', '--execute', '--output', 'executed-again.ipynb', written.file];
    const { code, output } = await runProgram(jupyter, 'jupyter', args, { cwd: host.workspace });
    assert.equal(code, 0, output);
    const [ours, theirs] = await Promise.all([outputsOf(written.file), outputsOf(host.file('executed-again.ipynb'))]);
    assert.equal(ours.length, 3);
    assert.deepEqual(theirs, ours);
  });
});
