/**
 * Makes the README's pictures of the view from a real document:
 *
 *     node --import tsx docs/screenshots.ts DOCUMENT.json [TOKEN]
 *
 * TOKEN is the word that the pointer rests on, and none by default. Needs `npm run build` and a Chromium.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { renderPage } from '../kernel/report/page.ts';
import { readDocument } from '../renderer/read-document.ts';
import { findChromium, launchChromium } from '../test/hosts/chromium.ts';

const IMAGES = fileURLToPath(new URL('images/', import.meta.url));

/** Room around the view, px. */
const MARGIN = 20;

const [file, token] = process.argv.slice(2);
if (!file) throw new Error('say which document: node --import tsx docs/screenshots.ts DOCUMENT.json [TOKEN]');
const executable = await findChromium();
if (!executable) throw new Error('no Chromium was found. Install one or set CHROMIUM to its path');

const html = await renderPage(readDocument(JSON.parse(await readFile(file, 'utf8'))));
const page = path.join(os.tmpdir(), `lvlm-lens-screenshot-${process.pid}.html`);
await writeFile(page, html);
await mkdir(IMAGES, { recursive: true });
const browser = await launchChromium(executable);
try {
  for (const colorScheme of ['light', 'dark'] as const) {
    const tab = await browser.newPage({
      viewport: { width: 1040, height: 900 },
      deviceScaleFactor: 2,
      colorScheme,
      reducedMotion: 'reduce',
    });
    await tab.goto(pathToFileURL(page).href);
    await tab
      .locator('.picture')
      .first()
      .evaluate((picture) => (picture as HTMLImageElement).decode());
    if (token) await tab.locator('.chip', { hasText: token }).first().hover();
    const box = await tab.locator('.lens').first().boundingBox();
    if (!box) throw new Error('the page shows no view');
    const clip = {
      x: box.x - MARGIN,
      y: box.y - MARGIN,
      width: box.width + 2 * MARGIN,
      height: box.height + 2 * MARGIN,
    };
    const target = path.join(IMAGES, `explanation-${colorScheme}.png`);
    await tab.screenshot({ path: target, clip, fullPage: true });
    console.log(target);
    await tab.close();
  }
} finally {
  await browser.close();
  await rm(page);
}
