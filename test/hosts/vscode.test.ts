import assert from 'node:assert/strict';
import { cpSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator } from 'playwright-core';
import { MIME_TYPE } from '../../kernel/document.ts';
import { joinLines, parseNotebook, type CodeCell, type Notebook } from '../../kernel/jupyter/notebook.ts';
import { skipBecause } from '../skip.ts';
import './ahead.ts';
import { setUpChromium } from './chromium.ts';
import { accept, chooseFromMenu, PATIENCE, quickInput, repeatUntil } from './gestures.ts';
import { packagedExtension, VsCodeHost } from './vscode-host.ts';
import { setUpVsCode } from './vscode-setup.ts';

/** Pictures of what people see are written here. */
const SCREENSHOTS = path.resolve('out', 'screenshots', 'vscode');

const THEMES: Readonly<Record<string, string>> = {
  light: 'Default Light Modern',
  dark: 'Default Dark Modern',
  'high-contrast': 'Default High Contrast',
  'high-contrast-light': 'Default High Contrast Light',
};

interface Contributes {
  readonly commands: readonly { readonly command: string; readonly title: string }[];
}

/** What a cell has, as the extension host sees it. */
interface CellState {
  readonly order: number | undefined;
  readonly success: boolean | undefined;
  readonly outputs: readonly { readonly mimes: readonly string[]; readonly text: string }[];
}

const STATE = `
  const cells = vscode.window.activeNotebookEditor.notebook.getCells().filter(({ kind }) => kind === vscode.NotebookCellKind.Code);
  return cells.map(({ executionSummary, outputs }) => ({
    order: executionSummary?.executionOrder,
    success: executionSummary?.success,
    outputs: outputs.map(({ items }) => ({
      mimes: items.map(({ mime }) => mime),
      text: new TextDecoder().decode(items.find(({ mime }) => /^text|stdout|stderr|error/.test(mime))?.data),
    })),
  }));`;

/** A workspace with nothing but the quickstart, not executed, and its pictures: no node_modules above or beside it. */
async function makeWorkspace(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lens-workspace-'));
  cpSync('notebooks/images', path.join(folder, 'images'), { recursive: true });
  const { notebook } = parseNotebook(await readFile('notebooks/quickstart.ipynb', 'utf8'), 'quickstart.ipynb');
  await writeFile(path.join(folder, 'executed.ipynb'), JSON.stringify(notebook));
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === 'code' ? { ...cell, outputs: [], execution_count: null } : cell,
  );
  await writeFile(path.join(folder, 'quickstart.ipynb'), JSON.stringify({ ...notebook, cells }));
  return folder;
}

describe('VS Code, with the packaged extension', function () {
  this.timeout(2 * PATIENCE);
  let host: VsCodeHost;
  let workspace: string;
  let parts: { server: string; chromium: string; vsix: string };

  before(async function () {
    this.timeout(1_200_000);
    if (process.platform === 'win32') skipBecause(this, 'VS Code', 'its server is driven over a Unix socket');
    const chromium = await setUpChromium();
    if ('missing' in chromium) skipBecause(this, 'VS Code', chromium.missing);
    const vscode = await setUpVsCode();
    if ('missing' in vscode) skipBecause(this, 'VS Code', vscode.missing);
    workspace = await makeWorkspace();
    await mkdir(SCREENSHOTS, { recursive: true });
    parts = { server: vscode.server, chromium: chromium.path, vsix: await packagedExtension() };
    host = await VsCodeHost.start({ ...parts, workspace });
    host.page.setDefaultTimeout(PATIENCE);
  });

  after(async () => {
    await host?.stop();
    if (workspace) await rm(workspace, { recursive: true, force: true });
  });

  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    await screenshot('failed');
    // What it left open must not be what the next one meets.
    for (let open = 0; open < 3; open++) await host.page.keyboard.press('Escape');
  });

  const states = () => host.call<readonly CellState[]>(STATE);
  const screenshot = (name: string) => host.page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
  const heat = (): Locator => host.outputs.locator('.heat').first();
  const pixels = () => heat().evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const chips = (): Locator => host.outputs.locator('.chip.mapped');

  async function open(file: string): Promise<void> {
    await host.call(
      `const uri = vscode.Uri.file(args.file);
       await vscode.window.showNotebookDocument(await vscode.workspace.openNotebookDocument(uri));`,
      { file: path.join(host.workspace, file) },
    );
  }

  /** The first explanation of the quickstart. */
  const reveal = () =>
    host.call(
      `const top = vscode.NotebookEditorRevealType.AtTop;
       vscode.window.activeNotebookEditor.revealRange(new vscode.NotebookRange(2, 3), top);`,
    );

  /** Puts a code cell at the end, runs it, and waits until it is over unless told otherwise. */
  async function run(code: string, { wait = true } = {}): Promise<CellState> {
    const index = await host.call<number>(
      `const { notebook } = vscode.window.activeNotebookEditor;
       const index = notebook.cellCount;
       const edit = new vscode.WorkspaceEdit();
       const cell = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, args.code, 'typescript');
       edit.set(notebook.uri, [vscode.NotebookEdit.insertCells(index, [cell])]);
       await vscode.workspace.applyEdit(edit);
       vscode.window.activeNotebookEditor.selections = [new vscode.NotebookRange(index, index + 1)];
       vscode.window.activeNotebookEditor.revealRange(new vscode.NotebookRange(index, index + 1));
       void vscode.commands.executeCommand('notebook.cell.execute', {
         ranges: [{ start: index, end: index + 1 }], document: notebook.uri,
       });
       return index;`,
      { code },
    );
    assert.ok(index > 0);
    if (!wait) return (await states()).at(-1)!;
    return await until('the cell is over', async () => {
      const last = (await states()).at(-1)!;
      return last.success === undefined ? undefined : last;
    });
  }

  async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE / 1000} s`);
      await sleep(100);
    }
  }

  const saved = async (file: string): Promise<Notebook> =>
    parseNotebook(await readFile(path.join(host.workspace, file), 'utf8'), file).notebook;

  it('comes in a package below 90 MB', async () => {
    assert.ok((await stat(parts.vsix)).size < 90e6);
  });

  it('offers the kernel for the quickstart, and runs all its cells', async () => {
    await open('quickstart.ipynb');
    await host.page.locator('.kernel-label', { hasText: 'LVLM Lens (TypeScript)' }).first().waitFor();
    await host.page.getByRole('button', { name: 'Run All' }).click();
    const cells = await until('all cells are over', async () => {
      const all = await states();
      return (all.every(({ success }) => success !== undefined) || all.some(({ success }) => success === false)) && all;
    });
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
      await host.call(`await vscode.workspace.getConfiguration('workbench').update('colorTheme', args.theme, true)`, {
        theme,
      });
      const dark = !/light/i.test(theme);
      await host.outputs
        .locator(`[data-theme='${dark ? 'dark' : 'light'}']`)
        .first()
        .waitFor();
      const contrast = /contrast/i.test(theme) ? 'more' : 'normal';
      await host.outputs.locator(`[data-contrast='${contrast}']`).first().waitFor();
      await sleep(500);
      await screenshot(`notebook-${name}`);
    });
  }

  it('completes, explains names and shows parameters, with what earlier cells declared', async () => {
    const ask = `
      const { notebook } = vscode.window.activeNotebookEditor;
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
    const labels = await host.call<string[]>(`${ask} return answer.items.map(({ label }) => label.label ?? label)`, {
      ...at('seen.tok|'),
      command: 'vscode.executeCompletionItemProvider',
    });
    assert.ok(labels.includes('tokens'), `no "tokens" in ${labels.slice(0, 20).join(', ')}`);
    const hover = await host.call<string>(
      `${ask} return answer.map(({ contents }) => contents.map((one) => one.value ?? one).join(' ')).join(' ')`,
      { ...at('expl|ain'), command: 'vscode.executeHoverProvider' },
    );
    assert.match(hover, /explain\(options: ExplainOptions\)/);
    const help = await host.call<{ label: string; parameter: number; spans: unknown[] } | null>(
      `${ask} return answer && { label: answer.signatures[0].label, parameter: answer.activeParameter, spans: answer.signatures[0].parameters.map(({ label }) => label) }`,
      { ...at('loadModel("pocket", |)'), command: 'vscode.executeSignatureHelpProvider', extra: '(' },
    );
    assert.match(help?.label ?? 'nothing', /loadModel\(/);
    assert.equal(help?.parameter, 1);
    assert.equal(help?.spans.length, 2);
  });

  it('streams, clears and updates outputs', async () => {
    const { outputs } = await run(
      [
        "const shown = await display('first', { id: 'one' });",
        "console.log('a'); console.log('b'); console.error('c');",
        "await shown.update('second');",
        'seen.answer.length',
      ].join('\n'),
    );
    assert.deepEqual(
      outputs.map(({ text }) => text.trim()),
      ["'second'", 'a\nb', 'c', String((await answerOf()).length)],
    );
    const again = await run(`void (await display('third', { id: 'one' }));`);
    assert.deepEqual(again.outputs, []);
    assert.match((await states()).at(-2)!.outputs[0]!.text, /third/, 'an earlier cell changes');
  });

  const answerOf = async (): Promise<string> => {
    const document = await host.call<{ explanations: { answer: { text: string } }[] }>(
      `const cell = vscode.window.activeNotebookEditor.notebook.getCells().find(({ outputs }) => outputs.length > 0);
       return JSON.parse(new TextDecoder().decode(cell.outputs[0].items[0].data))`,
    );
    return document.explanations[0]!.answer.text;
  };

  it('asks the user for a cell that waits for input', async () => {
    await run(`const who = await input('Who are you?');\nwho`, { wait: false });
    await accept(host.page, 'Who are you?', 'Ada');
    const cell = await until('the cell is over', async () => {
      const last = (await states()).at(-1)!;
      return last.success !== undefined && last;
    });
    assert.match(cell.outputs[0]?.text ?? '', /Ada/);
  });

  it("links an error to the cell's line", async () => {
    const { success, outputs } = await run(`const fine = 1;\nJSON.parse('{');`);
    assert.equal(success, false);
    const { name, stack } = JSON.parse(outputs[0]!.text) as { name: string; stack: string };
    assert.equal(name, 'SyntaxError');
    assert.match(stack, /^Cell In\[\d+\], line 2$/m);
    const link = host.outputs.getByRole('link', { name: 'line 2' });
    await link.first().waitFor();
    // It lies below what is on screen.
    await host.page.mouse.move(800, 500);
    await host.page.mouse.wheel(0, 2000);
    await sleep(500);
    await screenshot('error');
    await link.first().click({ timeout: 30_000 });
    await until('the line is selected', async () => {
      return await host.call<boolean>(`return vscode.window.activeTextEditor?.selection.active.line === 1`);
    });
  });

  it('interrupts a long explanation at once, and keeps the variables', async () => {
    await run(
      `await explain({ image: cafe, question: 'What is in the picture?', method: { name: 'igos++', iterations: 400, integrationSteps: 20 } })`,
      { wait: false },
    );
    await until('progress is shown', async () => /\|.*\d+\/\d+/.test((await states()).at(-1)!.outputs[0]?.text ?? ''));
    await host.page.mouse.move(800, 500);
    await host.page.mouse.wheel(0, 2000);
    await sleep(500);
    await screenshot('progress');
    await host.call(`await vscode.commands.executeCommand('notebook.cancelExecution')`);
    const { success, outputs } = await until('the cell is over', async () => {
      const last = (await states()).at(-1)!;
      return last.success !== undefined && last;
    });
    assert.equal(success, false);
    assert.equal(outputs.length, 1, 'the progress line is gone');
    assert.match(outputs[0]!.text, /AbortError/);
    assert.match((await run('seen.answer')).outputs[0]!.text, /\w/);
  });

  it('restarts: variables are gone, outputs stay', async () => {
    await host.call(`await vscode.commands.executeCommand('lvlmLens.restartKernel')`);
    const { success, order, outputs } = await run('seen.answer');
    assert.equal(success, false);
    assert.equal(order, 1);
    assert.match(outputs[0]!.text, /seen/);
    assert.ok((await states())[0]!.outputs[0]!.mimes.includes(MIME_TYPE));
  });

  it('saves a notebook as Jupyter has it, and shows the outputs when it is opened again', async () => {
    await host.call(
      `await vscode.window.activeNotebookEditor.notebook.save();
       await vscode.commands.executeCommand('workbench.action.closeAllEditors')`,
    );
    const notebook = await saved('quickstart.ipynb');
    assert.equal((notebook.metadata.kernelspec as { name: string }).name, 'lvlm-lens');
    const cells = notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === 'code');
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
    await open('quickstart.ipynb');
    await reveal();
    await heat().waitFor();
    await chips().first().waitFor();
  });

  it('explains an image from its context menu', async () => {
    const images = host.page.getByRole('treeitem', { name: 'images' });
    const image = host.page.getByRole('treeitem', { name: 'banana.png' });
    await repeatUntil({ locator: image }, async (limit) => {
      if ((await images.getAttribute('aria-expanded', limit)) !== 'true') await images.click(limit);
    });
    await chooseFromMenu(image, 'Explain This Image…');
    await accept(host.page, 'Explain banana.png', 'Which object is left of the banana?');
    await host.page.getByText('comes with LVLM Lens').first().waitFor();
    await screenshot('choose-model');
    await accept(host.page, 'comes with LVLM Lens');
    const [cell] = await until('the explanation is there', async () => {
      const all = await states().catch(() => []);
      return all.length === 1 && all[0]!.success !== undefined && all;
    });
    assert.equal(cell!.success, true, cell!.outputs[0]?.text);
    await heat().waitFor();
    await screenshot('explain-image');
    assert.match(
      await host.call<string>(
        `return vscode.window.activeNotebookEditor.notebook.getCells().at(-1).document.getText()`,
      ),
      /image: 'images\/banana\.png',\n {2}question: 'Which object is left of the banana\?',\n {2}model: 'pocket'/,
    );
    await host.call(`await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor')`);
  });

  it('exports a notebook as one interactive page', async () => {
    await host.call(`void vscode.commands.executeCommand('lvlmLens.exportHtml', vscode.Uri.file(args.file))`, {
      file: path.join(host.workspace, 'quickstart.ipynb'),
    });
    await accept(host.page, 'Export as interactive HTML');
    await host.page
      .getByText(/Exported to /)
      .first()
      .waitFor();
    const html = await readFile(path.join(host.workspace, 'quickstart.html'), 'utf8');
    assert.ok(html.includes(`type="${MIME_TYPE}"`));
  });

  it('opens a new notebook and the walkthrough', async () => {
    await host.call(`await vscode.commands.executeCommand('lvlmLens.newNotebook')`);
    assert.match(
      await host.call<string>(
        `return vscode.window.activeNotebookEditor.notebook.getCells().at(-1).document.getText()`,
      ),
      /^const e = await explain\(\{\n {2}image: '.*images\/\w+\.png',\n {2}question: /,
    );
    await host
      .call(
        `await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
       await vscode.commands.executeCommand('workbench.action.openWalkthrough', 'lvlm-lens.lvlm-lens#start')`,
      )
      .catch(() => undefined);
    await host.page.getByText('Where does the model look?').first().waitFor();
    await screenshot('walkthrough');
  });

  it('lists its commands by title', async () => {
    const { commands } = (JSON.parse(await readFile('package.json', 'utf8')) as { contributes: Contributes })
      .contributes;
    // What a command is enabled for is another matter: the palette lists those that can run here.
    const { box } = quickInput(host.page);
    await repeatUntil({ locator: box }, (limit) => host.page.locator('body').press('F1', limit));
    for (const { title } of commands) {
      await box.fill(`>LVLM Lens: ${title}`);
      await host.page
        .locator('.quick-input-list .monaco-list-row', { hasText: `LVLM Lens: ${title}` })
        .first()
        .waitFor();
    }
    await host.page.keyboard.press('Escape');
  });

  it('opens the quickstart as a copy, not the one that is installed', async () => {
    await host.call(`await vscode.commands.executeCommand('lvlmLens.openQuickstart')`);
    const file = await host.call<string>(`return vscode.window.activeNotebookEditor.notebook.uri.fsPath`);
    assert.match(file, /quickstart\.ipynb$/);
    assert.ok(!file.includes(`extensions${path.sep}`), file);
    assert.ok(existsSync(path.join(path.dirname(file), 'images', 'cafe.png')));
  });

  describe('in a folder that is not trusted', () => {
    let untrusted: VsCodeHost;

    before(async function () {
      this.timeout(1_200_000);
      untrusted = await VsCodeHost.start({
        ...parts,
        workspace,
        settings: { 'security.workspace.trust.enabled': true, 'security.workspace.trust.startupPrompt': 'never' },
      });
      untrusted.page.setDefaultTimeout(PATIENCE);
    });

    after(() => untrusted?.stop());

    it('shows explanations and executes nothing', async () => {
      assert.equal(await untrusted.call<boolean>('return vscode.workspace.isTrusted'), false);
      await untrusted.call(
        `const uri = vscode.Uri.file(args.file);
         await vscode.window.showNotebookDocument(await vscode.workspace.openNotebookDocument(uri));`,
        { file: path.join(untrusted.workspace, 'executed.ipynb') },
      );
      await untrusted.outputs.locator('.heat').first().waitFor();
      assert.equal(
        await untrusted.call<boolean>(`return vscode.extensions.getExtension('lvlm-lens.lvlm-lens').isActive`),
        true,
      );
      assert.equal(await untrusted.page.locator('.kernel-label', { hasText: 'LVLM Lens' }).count(), 0);
      await untrusted.page.screenshot({ path: path.join(SCREENSHOTS, 'not-trusted.png') });
    });
  });
});
