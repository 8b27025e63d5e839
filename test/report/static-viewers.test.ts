import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import sanitize from 'sanitize-html';
import { MIME_TYPE } from '../../kernel/document.ts';
import { toDisplayData } from '../../kernel/jupyter/mime.ts';
import { ExplanationResult } from '../../kernel/results.ts';
import { jupyterHost, runProgram, type JupyterHost } from '../hosts/jupyter-host.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { explanationDocument } from '../renderer/fixture.ts';
import { openBrowser } from '../renderer/stage.ts';
import { skipBecause } from '../skip.ts';

/** What GitHub keeps of a notebook's HTML, as its sanitiser's published list has it: neither scripts nor styles nor handlers. */
function asGitHub(html: string): string {
  return sanitize(html, {
    allowedTags: [...sanitize.defaults.allowedTags, 'img', 'details', 'summary', 'del', 'ins'],
    allowedAttributes: { a: ['href'], img: ['src', 'alt', 'width', 'height'], '*': ['align', 'colspan', 'rowspan'] },
    allowedSchemesByTag: { img: ['http', 'https', 'data'] },
  });
}

/** Takes out what static viewers do not know: types of vendors. */
function withoutVendorTypes(notebook: string): string {
  return JSON.stringify(JSON.parse(notebook, (key, value: unknown) => (key === MIME_TYPE ? undefined : value)));
}

describe('static viewers', function () {
  this.timeout(180_000);
  const folder = temporaryFolder('static');
  let host: JupyterHost;
  let browser: Browser;

  before(async function () {
    this.timeout(900_000);
    const found = await jupyterHost();
    if ('missing' in found) skipBecause(this, 'static viewers', found.missing);
    host = found;
    browser = await openBrowser(this, 'static viewers');
    const { data, metadata } = await toDisplayData(new ExplanationResult(await explanationDocument()));
    const output = { output_type: 'execute_result', execution_count: 1, data, metadata };
    const cell = { cell_type: 'code', id: 'one', metadata: {}, source: 'e', execution_count: 1, outputs: [output] };
    const notebook = JSON.stringify({
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { kernelspec: { name: 'lvlm-lens', display_name: 'LVLM Lens (TypeScript)', language: 'typescript' } },
      cells: [{ cell_type: 'markdown', id: 'zero', metadata: {}, source: '# Shared' }, cell],
    });
    await writeFile(path.join(folder, 'shared.ipynb'), notebook);
    await writeFile(path.join(folder, 'unknown.ipynb'), withoutVendorTypes(notebook));
  });

  after(() => browser?.close());

  async function convert(name: string, ...options: string[]): Promise<string> {
    const args = ['nbconvert', path.join(folder, name), '--output-dir', folder, ...options];
    const { code, output } = await runProgram(host, 'jupyter', args);
    assert.equal(code, 0, output);
    return output;
  }

  /** The card is there and is a picture; the Markdown is a table. */
  async function assertShown(html: string, name: string): Promise<void> {
    const file = path.join(folder, `${name}.html`);
    await writeFile(file, html);
    const page = await browser.newPage({ javaScriptEnabled: false });
    await page.route(/^https?:/, (route) => route.abort());
    await page.goto(pathToFileURL(file).href);
    const cards = page.locator('img[src^="data:image/"]');
    assert.ok((await cards.count()) >= 1, `${name}: a card`);
    const { natural, width } = await cards.first().evaluate((image: HTMLImageElement) => ({
      natural: image.naturalWidth,
      width: image.getBoundingClientRect().width,
    }));
    assert.ok(natural >= 760, `${name}: the card is decoded, ${natural} px`);
    assert.ok(width > 300 && width <= 761, `${name}: ${width} px wide`);
    const row = page.locator('tr', { hasText: 'house' });
    assert.match(
      (await row.first().innerText()).replace(/\s+/g, ' '),
      /house 3\.20 95\.1 % 3\.88 % yes: depends on the image/,
    );
    await page.close();
  }

  for (const template of ['lab', 'classic', 'basic']) {
    it(`nbconvert to HTML, template ${template}: card and table, with no script`, async () => {
      await convert('shared.ipynb', '--to', 'html', '--template', template);
      await assertShown(await readFile(path.join(folder, 'shared.html'), 'utf8'), `nbconvert-${template}`);
    });
  }

  it('nbviewer, which knows no vendor’s type: the same', async () => {
    await convert('unknown.ipynb', '--to', 'html', '--template', 'classic');
    await assertShown(await readFile(path.join(folder, 'unknown.html'), 'utf8'), 'nbviewer');
  });

  it('GitHub, which strips scripts, styles and attributes: the same', async () => {
    await convert('unknown.ipynb', '--to', 'html', '--template', 'basic');
    const html = asGitHub(await readFile(path.join(folder, 'unknown.html'), 'utf8'));
    assert.doesNotMatch(html, /<(?:script|style)|class=|style=/);
    await assertShown(html, 'github');
  });

  it('hosts that show pictures rather than Markdown: the card, at the width that it is meant for', async () => {
    const { data, metadata } = await toDisplayData(new ExplanationResult(await explanationDocument()));
    assert.deepEqual(Object.keys(metadata), ['image/png']);
    const { width, alt } = (metadata as { 'image/png': { width: number; alt: string } })['image/png'];
    assert.equal(width, 760);
    assert.equal(alt, data['text/plain']);
  });

  it('nbconvert to Markdown and to a PDF printed by a browser: the card and its words', async () => {
    await convert('shared.ipynb', '--to', 'markdown');
    assert.match(await readFile(path.join(folder, 'shared.md'), 'utf8'), /\| cat \| 5\.87 \|/);
    await convert('shared.ipynb', '--to', 'html', '--template', 'lab');
    const page = await browser.newPage();
    await page.route(/^https?:/, (route) => route.abort());
    await page.goto(pathToFileURL(path.join(folder, 'shared.html')).href);
    const pdf = path.join(folder, 'shared.pdf');
    await page.pdf({ path: pdf, printBackground: true });
    await page.close();
    const bytes = await readFile(pdf, 'latin1');
    assert.match(bytes, /^%PDF/);
    // A picture of the card's size, and fonts for its words.
    assert.match(bytes, /\/Subtype \/Image[^]{0,200}\/Width 760|\/Width 760[^]{0,200}\/Subtype \/Image/);
    assert.match(bytes, /\/Font/);
  });

  it('nbconvert to PDF by LaTeX, where there is one', async function () {
    const { code, output } = await runProgram(host, 'jupyter', [
      'nbconvert',
      path.join(folder, 'shared.ipynb'),
      '--to',
      'pdf',
      '--output-dir',
      path.join(folder, 'latex'),
    ]);
    if (code !== 0 && /Pandoc wasn't found|xelatex not found/.test(output)) {
      skipBecause(this, 'nbconvert to PDF by LaTeX', 'pandoc or xelatex is not installed here');
    }
    assert.equal(code, 0, output);
    assert.match(await readFile(path.join(folder, 'latex', 'shared.pdf'), 'latin1'), /^%PDF/);
  });
});
