import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { MIME_TYPE } from '../../kernel/document.ts';
import { mimeBundle } from '../../kernel/report/mime-bundle.ts';
import { jupyterHost, runProgram, type JupyterHost } from '../hosts/jupyter-host.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { explanationDocument, hostileTextDocument } from '../renderer/fixture.ts';
import { axeFindings, openBrowser } from '../renderer/stage.ts';
import { skipBecause } from '../skip.ts';

/** A notebook as somebody sends it: executed elsewhere, never trusted here. */
async function savedNotebook(): Promise<object> {
  const cell = (id: string, source: string, data?: object) => ({
    cell_type: 'code',
    id,
    source,
    metadata: {},
    execution_count: 1,
    outputs: data ? [{ output_type: 'execute_result', execution_count: 1, metadata: {}, data }] : [],
  });
  const good = await mimeBundle(await explanationDocument());
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'lvlm-lens', display_name: 'LVLM Lens (TypeScript)', language: 'typescript' } },
    cells: [
      cell('good', 'await explain(question)', good),
      cell('broken', 'await explain(broken)', { ...good, [MIME_TYPE]: { schemaVersion: 1, kind: 'party' } }),
      cell('hostile', 'await explain(hostile)', await mimeBundle(await hostileTextDocument())),
    ],
  };
}

/** Starts JupyterLab on a port of its own choice. @returns the process and its address */
async function startLab({ program, env }: JupyterHost, folder: string) {
  const lab = spawn(
    program('jupyter'),
    [
      'lab',
      '--no-browser',
      '--allow-root',
      '--port=0',
      '--IdentityProvider.token=',
      `--ServerApp.root_dir=${folder}`,
      '--LabApp.expose_app_in_browser=True',
      '--LabApp.news_url=None',
      '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate',
    ],
    { env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  const address = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`JupyterLab did not start:\n${log}`)), 120_000);
    lab.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      const found = /https?:\/\/127\.0\.0\.1:\d+/.exec(log)?.[0];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    lab.once('exit', () => reject(new Error(`JupyterLab ended:\n${log}`)));
  });
  return { lab, address };
}

describe('the extension for JupyterLab', function () {
  this.timeout(180_000);
  const folder = temporaryFolder('jupyterlab');
  let host: JupyterHost;
  let browser: Browser;
  let lab: ChildProcess;
  let page: Page;
  const errors: string[] = [];

  before(async function () {
    this.timeout(900_000);
    const found = await jupyterHost();
    if ('missing' in found) skipBecause(this, 'the extension for JupyterLab', found.missing);
    host = found;
    browser = await openBrowser(this, 'the extension for JupyterLab');
    await writeFile(path.join(folder, 'saved.ipynb'), JSON.stringify(await savedNotebook()));
    await mkdir(path.join(folder, 'lab'), { recursive: true });
    const started = await startLab(host, folder);
    lab = started.lab;
    page = await browser.newPage({ viewport: { width: 1200, height: 1000 }, reducedMotion: 'reduce' });
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`${started.address}/lab`);
    await page.waitForFunction('window.jupyterapp?.shell');
    await execute('docmanager:open', {
      path: 'saved.ipynb',
      factory: 'Notebook',
      // A reader has no kernel.
      kernelPreference: { shouldStart: false, canStart: false, autoStartDefault: false },
    });
    await page.locator('.lvlm-lens .lens').first().waitFor({ timeout: 120_000 });
  });

  after(async () => {
    await browser?.close();
    lab?.kill('SIGKILL');
  });

  /** One of JupyterLab's own commands. */
  const execute = (command: string, args: object): Promise<void> =>
    page.evaluate(
      async ([id, given]) => {
        const { jupyterapp } = window as unknown as {
          jupyterapp: { restored: Promise<void>; commands: { execute(id: string, args: object): Promise<unknown> } };
        };
        await jupyterapp.restored;
        await jupyterapp.commands.execute(id, given);
      },
      [command, args] as const,
    );

  const view = (cell: number) => page.locator('.jp-Cell').nth(cell).locator('.lvlm-lens');

  it('is listed as enabled and sound, with no build of JupyterLab', async () => {
    const { code, output } = await runProgram(host, 'jupyter', ['labextension', 'list']);
    assert.equal(code, 0, output);
    // The words are coloured.
    assert.match(output, /^ +lvlm-lens v\d+\.\d+\.\d+ .*enabled.* .*OK/m);
  });

  it('draws the view of a notebook that nobody has run or trusted here, and a token shows its map', async () => {
    await view(0).locator('.chip', { hasText: 'house' }).first().hover();
    assert.match(await view(0).locator('.legend-title').first().innerText(), /“house”/);
  });

  it('keeps its keys to itself: arrows go from token to token, not from cell to cell', async () => {
    const active = () => page.locator('.jp-Notebook .jp-Cell.jp-mod-active').first().innerText();
    await page.locator('.jp-Cell').first().locator('.jp-InputPrompt').click();
    const before = await active();
    await view(0).locator('.chip', { hasText: 'cat' }).first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.equal(await active(), before);
    assert.equal(await page.locator('.jp-Notebook.jp-mod-editMode').count(), 0);
    await page.keyboard.press('Escape');
  });

  it('follows JupyterLab’s themes while it is open', async () => {
    const lens = view(0).locator('.lens');
    for (const [theme, expected, contrast] of [
      ['JupyterLab Dark', 'dark', 'normal'],
      ['JupyterLab Dark High Contrast', 'dark', 'more'],
      ['JupyterLab Light', 'light', 'normal'],
    ] as const) {
      await execute('apputils:change-theme', { theme });
      await page.locator(`body[data-jp-theme-name="${theme}"]`).waitFor({ state: 'attached' });
      await page.waitForTimeout(300);
      assert.equal(await lens.getAttribute('data-theme'), expected, theme);
      assert.equal(await lens.getAttribute('data-contrast'), contrast, theme);
      const [text, variable] = await lens.evaluate((element) => {
        const probe = document.createElement('span');
        probe.style.color = 'var(--jp-ui-font-color1)';
        document.body.append(probe);
        const wanted = getComputedStyle(probe).color;
        probe.remove();
        return [getComputedStyle(element).color, wanted];
      });
      assert.equal(text, variable, `${theme}: the text has JupyterLab’s colour`);
      const faults = (await axeFindings(page, '.lvlm-lens')).filter((fault) => !fault.startsWith('page-has'));
      assert.deepEqual(faults, [], theme);
    }
  });

  it('says what is wrong with a document that it cannot draw, and shows the card', async () => {
    await view(1).scrollIntoViewIfNeeded();
    assert.match(await view(1).getByRole('alert').innerText(), /cannot draw this output: .*kind/);
    assert.ok(
      await view(1)
        .locator('img')
        .evaluate((image) => (image as HTMLImageElement).naturalWidth > 1000),
    );
  });

  it('shows hostile text as text, and fails nowhere', async () => {
    await view(2).scrollIntoViewIfNeeded();
    assert.ok((await view(2).locator('.answer').innerText()).includes('<img src=x onerror="window.owned=1">'));
    assert.equal(await page.evaluate('window.owned'), undefined);
    assert.deepEqual(errors, []);
  });
});
