import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { MIME_TYPE } from '../../kernel/document.ts';
import { temporaryFolder, writeFiles } from '../jupyter/tiny-library.ts';
import { skipBecause } from '../skip.ts';
import './ahead.ts';
import { launchChromium, setUpChromium } from './chromium.ts';
import { jupyterHost } from './jupyter-host.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Our viewer for JupyterLab, where this build has it. */
const VIEWER = existsSync(path.join(ROOT, 'dist/labextension/package.json'));

/** How long a cell or a page may take, in ms. */
const PATIENCE = 600_000;

describe('JupyterLab', function () {
  this.timeout(900_000);
  let server: ChildProcess;
  let browser: Browser;
  let page: Page;
  let address: string;
  let log = '';
  const folder = temporaryFolder('jupyterlab');
  const notebook = path.join(folder, 'quickstart.ipynb');

  before(async function () {
    this.timeout(900_000);
    const chromium = await setUpChromium();
    if ('missing' in chromium) skipBecause(this, 'JupyterLab', chromium.missing);
    const host = await jupyterHost();
    if ('missing' in host) skipBecause(this, 'JupyterLab', host.missing);
    await cp(path.join(ROOT, 'notebooks/images'), path.join(folder, 'images'), { recursive: true });
    await cp(path.join(ROOT, 'notebooks/quickstart.ipynb'), notebook);
    const settingsFolder = temporaryFolder('jupyterlab-settings');
    writeFiles(settingsFolder, {
      // Every cell is in the page, also those that are scrolled out of sight.
      '@jupyterlab/notebook-extension/tracker.jupyterlab-settings': JSON.stringify({ windowingMode: 'none' }),
      '@jupyterlab/apputils-extension/notification.jupyterlab-settings': JSON.stringify({
        fetchNews: 'false',
        checkForUpdates: false,
      }),
    });
    const port = await freePort();
    const settings = [
      '--no-browser',
      '--allow-root',
      '--ip=127.0.0.1',
      `--port=${port}`,
      '--ServerApp.port_retries=0',
      '--IdentityProvider.token=',
      '--LabApp.news_url=None',
      '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate',
      `--ServerApp.root_dir=${folder}`,
    ];
    server = spawn(host.program('jupyter'), ['lab', ...settings], {
      env: { ...host.env, JUPYTERLAB_SETTINGS_DIR: settingsFolder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    }
    address = `http://127.0.0.1:${port}`;
    await answering(`${address}/api`);
    browser = await launchChromium(chromium.path);
    page = await browser.newPage({ viewport: { width: 1400, height: 1600 } });
  });

  after(async () => {
    await browser?.close();
    if (server?.exitCode === null) {
      server.kill('SIGTERM');
      await new Promise((resolve) => server.once('exit', resolve));
    }
  });

  afterEach(async function () {
    if (this.currentTest?.state !== 'failed' || !page) return;
    const screenshots = path.join(ROOT, 'out/jupyterlab');
    await mkdir(screenshots, { recursive: true });
    await page.screenshot({ path: path.join(screenshots, 'failed.png') });
    console.error(log.split('\n').slice(-15).join('\n'));
  });

  async function answering(url: string): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    while (!(await fetch(url).catch(() => undefined))?.ok) {
      assert.ok(Date.now() < deadline && server.exitCode === null, `JupyterLab did not start:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Opens the notebook and waits until its kernel is idle. */
  async function open(): Promise<void> {
    await page.goto(`${address}/lab/tree/quickstart.ipynb?reset`);
    await page.locator('.jp-Notebook .jp-CodeCell').first().waitFor({ timeout: PATIENCE });
    await idle();
  }

  async function idle(): Promise<void> {
    await page.locator('.jp-KernelName').filter({ hasText: 'LVLM Lens' }).waitFor({ timeout: PATIENCE });
    await page.locator('.jp-NotebookPanel-toolbar [data-status="idle"]').waitFor({ timeout: PATIENCE });
  }

  async function menu(...items: readonly string[]): Promise<void> {
    for (const [depth, item] of items.entries()) {
      const place = depth === 0 ? page.locator('#jp-MainMenu .lm-MenuBar-item') : page.locator('.lm-Menu-item');
      await place
        .filter({ hasText: new RegExp(`^${item}`) })
        .first()
        .click();
    }
  }

  /** Outputs of code cells that are rendered as pictures, by our viewer where it is installed. */
  const explanations = () => page.locator(VIEWER ? '.jp-OutputArea .lvlm-lens' : '.jp-RenderedImage img');

  it('opens the notebook with our kernel and runs all of it', async () => {
    await open();
    assert.match(await page.locator('.jp-KernelName').innerText(), /LVLM Lens \(TypeScript\)/);
    await menu('Edit', 'Clear Outputs of All Cells');
    await page.locator('.jp-Notebook').click({ position: { x: 5, y: 5 } });
    assert.equal(await page.locator('.jp-OutputArea-output').count(), 0);
    await menu('Run', 'Run All Cells');
    const cells = await page.locator('.jp-CodeCell').count();
    const last = page
      .locator('.jp-CodeCell')
      .nth(cells - 1)
      .locator('.jp-InputArea-prompt');
    await last.filter({ hasText: `[${cells}]` }).waitFor({ timeout: PATIENCE });
    await idle();
    assert.equal(await page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count(), 0);
    assert.ok((await explanations().count()) > 0, 'an explanation is seen');
    const texts = await page.locator('.jp-OutputArea-output').allInnerTexts();
    assert.ok(!texts.some((text) => /steps\/s|█/.test(text)), 'no progress line is left');
  });

  it('shows a map where a token is hovered', async function () {
    if (!VIEWER) skipBecause(this, 'JupyterLab: a hovered token', 'dist/labextension is not part of this build');
    const output = explanations().first();
    await output.scrollIntoViewIfNeeded();
    const heat = output.locator('.heat').first();
    const before = await heat.screenshot();
    await output.locator('.chip', { hasText: 'penguin' }).first().hover();
    await output.locator('.legend-title', { hasText: '“penguin”' }).waitFor({ timeout: PATIENCE });
    // The cross-fade.
    await page.waitForTimeout(500);
    assert.notDeepEqual(await heat.screenshot(), before, 'the map changes');
  });

  it('saves what viewers can show, and shows it again after a reload', async () => {
    const shown = await explanations().count();
    await menu('File', 'Save Notebook');
    await page.waitForFunction(() => document.querySelector('.jp-mod-dirty') === null, undefined, {
      timeout: PATIENCE,
    });
    const saved = JSON.parse(await readFile(notebook, 'utf8')) as {
      cells: { cell_type: string; execution_count: number | null; outputs?: { data?: Record<string, unknown> }[] }[];
    };
    const code = saved.cells.filter(({ cell_type }) => cell_type === 'code');
    assert.deepEqual(
      code.map(({ execution_count }) => execution_count),
      code.map((_, index) => index + 1),
    );
    const bundles = code
      .flatMap(({ outputs }) => outputs ?? [])
      .flatMap(({ data }) => (data?.[MIME_TYPE] ? [data] : []));
    assert.ok(bundles.length > 0 && bundles.every((data) => typeof data['image/png'] === 'string'));
    await open();
    await explanations().first().waitFor({ timeout: PATIENCE });
    assert.equal(await explanations().count(), shown);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
