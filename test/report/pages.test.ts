import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import type { Notebook } from '../../kernel/jupyter/notebook.ts';
import { mimeBundle } from '../../kernel/report/mime-bundle.ts';
import { renderNotebookPage } from '../../kernel/report/notebook-page.ts';
import { renderPage } from '../../kernel/report/page.ts';
import { safeHtml, safeMarkdown } from '../../kernel/report/safe-markup.ts';
import { comparisonDocument, drawStreet, explanationDocument, hostileTextDocument } from '../renderer/fixture.ts';
import { axeFindings, bundle, openBrowser } from '../renderer/stage.ts';

const HOSTILE_MARKUP = [
  '<script>window.owned=1</script>',
  '<img src=x onerror="window.owned=1">',
  '<svg onload="window.owned=1"></svg>',
  '<iframe src="https://example.org"></iframe>',
  '<a href="javascript:window.owned=1">run</a>',
  '<style>body{display:none}</style>',
  '<p style="position:fixed">over</p>',
  '<form action="https://example.org"><button>send</button></form>',
  '<img src="https://example.org/pixel.png" alt="a pixel">',
  '<base href="https://example.org">',
  '<meta http-equiv="refresh" content="0;url=https://example.org">',
].join('\n\n');

async function notebook(): Promise<Notebook> {
  const code = (source: string, outputs: unknown[], count = 1) => ({
    cell_type: 'code' as const,
    metadata: {},
    source,
    execution_count: count,
    outputs: outputs as never[],
  });
  const street = Buffer.from((await drawStreet(32)).data, 'base64');
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { language: 'typescript' } },
    cells: [
      {
        cell_type: 'markdown',
        metadata: {},
        source: [
          '# Where does it look?\n',
          '\n',
          `With *words*, \`code\`, [a link](https://example.org).\n\n${HOSTILE_MARKUP}`,
        ],
        attachments: { 'street.webp': { 'image/webp': street.toString('base64') } },
      },
      {
        cell_type: 'markdown',
        metadata: {},
        source: '![attached](attachment:street.webp) ![beside](street.webp) ![outside](../street.webp)',
        attachments: { 'street.webp': { 'image/webp': street.toString('base64') } },
      },
      code("const e = await explain({ image: 'street.png' }); // <b>", [
        { output_type: 'stream', name: 'stdout', text: ['loading \u001b[32mpocket\u001b[0m\n', '<b>done</b>\n'] },
        {
          output_type: 'execute_result',
          data: await mimeBundle(await explanationDocument()),
          metadata: {},
          execution_count: 1,
        },
      ]),
      code(
        'compare()',
        [{ output_type: 'display_data', data: await mimeBundle(await comparisonDocument()), metadata: {} }],
        2,
      ),
      code(
        'hostile()',
        [{ output_type: 'display_data', data: await mimeBundle(await hostileTextDocument()), metadata: {} }],
        3,
      ),
      code(
        'broken()',
        [
          {
            output_type: 'display_data',
            data: {
              ...(await mimeBundle(await explanationDocument())),
              'application/vnd.lvlm-lens.v1+json': { schemaVersion: 1 },
            },
            metadata: {},
          },
        ],
        4,
      ),
      code(
        'html()',
        [{ output_type: 'display_data', data: { 'text/html': HOSTILE_MARKUP, 'text/plain': 'x' }, metadata: {} }],
        5,
      ),
      code(
        'throw 1',
        [{ output_type: 'error', ename: 'Error', evalue: 'no <i>', traceback: ['\u001b[31mError\u001b[0m: no <i>'] }],
        6,
      ),
    ],
  };
}

/** Opens a page from its file and notes everything that it should not do. */
async function open(browser: Browser, file: string): Promise<{ page: Page; faults: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => faults.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`error: ${error}`));
  page.on('request', (request) => {
    if (!/^(?:data|blob):/.test(request.url()) && request.url() !== pathToFileURL(file).href)
      faults.push(`request: ${request.url()}`);
  });
  await page.addInitScript(`
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));
  `);
  await page.goto(pathToFileURL(file).href);
  return { page, faults };
}

async function assertHarmless({ page, faults }: { page: Page; faults: string[] }): Promise<void> {
  await page.waitForTimeout(300);
  assert.deepEqual(faults, []);
  assert.deepEqual(await page.evaluate('window.violations'), []);
  assert.equal(await page.evaluate('window.owned'), undefined);
}

describe('markup that others wrote', () => {
  it('loses everything that acts or is fetched, and keeps its words', () => {
    const html = safeHtml(HOSTILE_MARKUP);
    assert.doesNotMatch(html, /script|onerror|onload|iframe|javascript:|style|form|button|base|meta|<img/i);
    for (const kept of ['run', 'over', 'a pixel']) assert.ok(html.includes(kept), kept);
  });

  it('keeps Markdown’s own markup, and code is highlighted and escaped', () => {
    const html = safeMarkdown(
      '**bold** [x](https://example.org)\n\n```ts\nconst a = "<b>";\n```\n\n| a |\n|---|\n| 1 |\n',
    );
    assert.match(html, /<strong>bold<\/strong> <a href="https:\/\/example\.org" rel="noopener noreferrer">x<\/a>/);
    assert.match(html, /<span class="hljs-keyword">const<\/span>/);
    assert.match(html, /&lt;b&gt;/);
    assert.match(html, /<td>1<\/td>/);
  });
});

describe('stand-alone pages, in Chromium', function () {
  let browser: Browser;
  let folder: string;
  let script: string;

  before(async function () {
    browser = await openBrowser(this, 'stand-alone pages');
    folder = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-pages-'));
    script = await bundle('page', 'iife');
  });

  after(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  it('one document: interactive, from one file, within its own policy', async () => {
    const file = path.join(folder, 'page.html');
    await writeFile(file, await renderPage(await explanationDocument(), { script }));
    const opened = await open(browser, file);
    const { page } = opened;
    await page.locator('.chip', { hasText: 'house' }).first().hover();
    assert.match(await page.locator('.legend-title').innerText(), /“house”/);
    assert.equal(await page.locator('.lens-plot').count(), 1);
    await assertHarmless(opened);
    assert.deepEqual(await axeFindings(page), []);
    await page.context().close();
  });

  it('its policy really refuses: a script, a picture from elsewhere, markup from text', async () => {
    const file = path.join(folder, 'tampered.html');
    const html = await renderPage(await explanationDocument(), { script });
    await writeFile(
      file,
      html.replace('</main>', '<script>window.owned=1</script><img src="https://example.org/x.png"></main>'),
    );
    const { page } = await open(browser, file);
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate('window.owned'), undefined);
    const violations = (await page.evaluate('window.violations')) as string[];
    assert.ok(
      violations.some((one) => one.startsWith('script-src')),
      violations.join(),
    );
    assert.ok(
      violations.some((one) => one.startsWith('img-src')),
      violations.join(),
    );
    await page.context().close();
  });

  it('a document’s text cannot break out of the page', async () => {
    const file = path.join(folder, 'hostile.html');
    await writeFile(file, await renderPage(await hostileTextDocument(), { script }));
    const opened = await open(browser, file);
    assert.equal(await opened.page.locator('.lens').count(), 1);
    assert.ok((await opened.page.locator('.answer').innerText()).includes('</script><script>window.owned=1</script>'));
    await assertHarmless(opened);
    await opened.page.context().close();
  });

  it('a notebook: every explanation interactive, all else inert', async () => {
    const file = path.join(folder, 'notebook.html');
    await writeFile(path.join(folder, 'street.webp'), Buffer.from((await drawStreet(32)).data, 'base64'));
    await writeFile(file, await renderNotebookPage(await notebook(), { script, folder }));
    const opened = await open(browser, file);
    const { page } = opened;
    assert.equal(await page.title(), 'Where does it look?');
    assert.equal(await page.locator('.lens').count(), 3);
    assert.equal(await page.locator('.cell .heat').count(), 1 + 3 + 1);
    await page.locator('.chip', { hasText: 'sun' }).first().hover();
    assert.match(await page.locator('.legend-title').first().innerText(), /“sun”/);
    assert.equal(await page.locator('.cell').nth(1).locator('img').count(), 2, 'attached and beside, not outside');
    assert.equal(await page.locator('.cell').nth(5).locator('img').count(), 1, 'a broken document leaves the card');
    assert.equal(await page.locator('.cell').nth(2).locator('.output pre').innerText(), 'loading pocket\n<b>done</b>');
    assert.match(await page.locator('pre.error').innerText(), /^Error: no <i>$/);
    assert.ok((await page.locator('.hljs-keyword').count()) > 0);
    await assertHarmless(opened);
    assert.deepEqual(await axeFindings(page), []);
    await page.context().close();
  });

  it('prints: the controls are left out, the heat stays', async () => {
    const { page } = await open(browser, path.join(folder, 'notebook.html'));
    await page.emulateMedia({ media: 'print' });
    for (const part of ['.controls', '.choice', '.scrubber', '.save', '.provenance', '.ratios']) {
      assert.ok((await page.locator(part).count()) > 0, part);
      for (const one of await page.locator(part).all()) assert.equal(await one.isVisible(), false, part);
    }
    assert.equal(await page.locator('.heat').first().isVisible(), true);
    const pdf = await page.pdf();
    assert.equal(pdf.subarray(0, 4).toString(), '%PDF');
    await page.context().close();
  });
});
