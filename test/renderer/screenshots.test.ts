/**
 * Screenshots against committed ones, for each theme at a wide and a narrow width. Text is set in Inter, which comes with the
 * page, so that letters are the same everywhere; how a machine smooths their edges still differs, and so does a slider from one
 * Chromium to the next. Therefore: pixels count as different only beyond `THRESHOLD`, and up to a share `TOLERATED` of them may.
 * Where Inter cannot be set as it was (its measured widths differ), or sliders and menus are drawn by another system than Linux,
 * the comparison is skipped and says so. Where they were made, not a pixel differs.
 *
 * UPDATE_SCREENSHOTS=1 npx mocha test/renderer/screenshots.test.ts    writes them anew: look at each before you commit it.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pixelmatch from 'pixelmatch';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import type { LensDocument } from '../../kernel/document.ts';
import { skipBecause } from '../skip.ts';
import { PLACES, comparisonDocument, explanationDocument, noDependenceDocument } from './fixture.ts';
import { chip, choose, leave, pointAt } from './gestures.ts';
import { HOSTS, bundle, draw, emptyStage, openBrowser, type Host } from './stage.ts';

const FOLDER = fileURLToPath(new URL('screenshots/', import.meta.url));
const FAILED = fileURLToPath(new URL('../../out/screenshots/', import.meta.url));

/** Colour distance beyond which a pixel counts as different, 0 … 1. */
const THRESHOLD = 0.2;
/** The Chromium that the committed screenshots were made with. */
const MADE_WITH = '156';
/** Share of pixels that may differ: with this Chromium hardly any, with another as many as sliders and text edges have. */
const TOLERATED = { same: 0.001, other: 0.02 } as const;

const require = createRequire(import.meta.url);

/** Sets the page's text in Inter. @returns the width of a sample at both weights, px */
async function setInInter(page: Page): Promise<readonly number[]> {
  const files = await Promise.all(
    [400, 600].map((weight) => readFile(require.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`))),
  );
  return page.evaluate(
    async (fonts) => {
      for (const [at, data] of fonts.entries()) {
        const source = `url(data:font/woff2;base64,${data})`;
        document.fonts.add(await new FontFace('Inter', source, { weight: at === 0 ? '400' : '600' }).load());
      }
      document.body.style.setProperty('--vscode-font-family', 'Inter');
      document.body.style.setProperty('--vscode-editor-font-family', 'Inter');
      document.body.style.fontFamily = 'Inter';
      const context = document.createElement('canvas').getContext('2d')!;
      return [400, 600].map((weight) => {
        context.font = `${weight} 20px Inter`;
        return Math.round(context.measureText('Deletion takes the hottest cells away first: 0.817').width);
      });
    },
    files.map((file) => file.toString('base64')),
  );
}

/** Widths of the sample where the committed screenshots were made. */
const INTER = [448, 460];

interface Scene {
  readonly make: () => Promise<LensDocument>;
  readonly host: Host;
  readonly act?: (page: Page) => Promise<void>;
}

const WIDE = 1000;
const NARROW = 380;

const THEMES = {
  light: HOSTS.light,
  dark: HOSTS.dark,
  'vscode-light': HOSTS['VS Code light'],
  'vscode-dark': HOSTS['VS Code dark'],
  'high-contrast': HOSTS['VS Code high contrast'],
  'high-contrast-light': HOSTS['VS Code high contrast light'],
} as const satisfies Record<string, Host>;

/** Every picture by its file's name. */
const SCENES: Readonly<Record<string, Scene>> = {
  ...Object.fromEntries(
    Object.entries(THEMES).flatMap(([theme, host]) => [
      [
        `${theme}-wide`,
        { make: explanationDocument, host: { ...host, width: WIDE }, act: (page: Page) => chip(page, 'cat').hover() },
      ],
      [
        `${theme}-narrow`,
        { make: explanationDocument, host: { ...host, width: NARROW }, act: (page: Page) => pointAt(page, PLACES.dog) },
      ],
    ]),
  ),
  'held-contours': {
    make: explanationDocument,
    host: { ...HOSTS.light, width: WIDE },
    act: async (page) => {
      await choose(page, 'mode-contours');
      for (const word of ['terr', 'cat', 'house']) await chip(page, word).click();
      await page.locator('.ratios summary').click();
      await leave(page);
    },
  },
  'comparison-dark': { make: comparisonDocument, host: { ...HOSTS.dark, width: WIDE } },
  'no-dependence': { make: noDependenceDocument, host: { ...HOSTS.light, width: WIDE } },
};

async function pixels(png: Buffer) {
  const { data, info } = await sharp(png).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}

/** How often a picture is taken until two in a row are the same: a busy machine paints late. */
const TRIES = 30;

/** The view once nothing changes any more. */
async function settled(page: Page): Promise<Buffer> {
  const take = () => page.locator('.lens').screenshot({ animations: 'disabled', caret: 'hide' });
  await page.waitForTimeout(300);
  let last = await take();
  for (let i = 0; i < TRIES; i++) {
    await page.waitForTimeout(300);
    const next = await take();
    if (next.equals(last)) return next;
    last = next;
  }
  return last;
}

describe('screenshots', function () {
  let browser: Browser;
  let script: string;

  before(async function () {
    if (process.platform !== 'linux') {
      skipBecause(this, 'screenshots', `sliders and menus look otherwise on ${process.platform} than on linux`);
    }
    browser = await openBrowser(this, 'screenshots');
    script = await bundle('index', 'esm');
  });
  after(() => browser?.close());

  for (const [name, { make, host, act }] of Object.entries(SCENES)) {
    it(name, async function () {
      const page = await emptyStage(browser, script, host);
      try {
        // Taller than any view: scrolling for the picture would move what lies under the pointer.
        await page.setViewportSize({ width: page.viewportSize()!.width, height: 2400 });
        const widths = await setInInter(page);
        if (process.env['UPDATE_SCREENSHOTS'] !== undefined) console.log(`Inter: ${widths.join(', ')}`);
        else if (String(widths) !== String(INTER)) {
          skipBecause(
            this,
            'screenshots',
            `Inter is ${widths.join(' and ')} px wide here and not ${INTER.join(' and ')}`,
          );
        }
        assert.equal(await draw(page, await make()), undefined);
        for (const picture of await page.locator('.picture').all()) {
          await picture.evaluate((one) => (one as HTMLImageElement).decode());
        }
        await page
          .locator('.lens-plot')
          .first()
          .waitFor({ timeout: 5000 })
          .catch(() => undefined);
        await act?.(page);
        const shot = await settled(page);
        const file = path.join(FOLDER, `${name}.webp`);
        if (process.env['UPDATE_SCREENSHOTS'] !== undefined) {
          await mkdir(FOLDER, { recursive: true });
          await writeFile(file, await sharp(shot).webp({ quality: 88 }).toBuffer());
          return;
        }
        const [seen, expected] = await Promise.all([pixels(shot), readFile(file).then(pixels)]);
        const size = ({ width, height }: typeof seen): string => `${width} × ${height} px`;
        const height = Math.abs(seen.height - expected.height);
        assert.ok(seen.width === expected.width && height === 0, `${name} is ${size(seen)} and not ${size(expected)}`);
        const difference = new Uint8Array(seen.data.length);
        const differing = pixelmatch(seen.data, expected.data, difference, seen.width, seen.height, {
          threshold: THRESHOLD,
        });
        const share = differing / (seen.width * seen.height);
        const tolerated = browser.version().startsWith(`${MADE_WITH}.`) ? TOLERATED.same : TOLERATED.other;
        if (share > tolerated) {
          await mkdir(FAILED, { recursive: true });
          await writeFile(path.join(FAILED, `${name}.png`), shot);
          const { width, height: tall } = seen;
          await sharp(difference, { raw: { width, height: tall, channels: 4 } }).toFile(
            path.join(FAILED, `${name}-difference.png`),
          );
        }
        assert.ok(share <= tolerated, `${(100 * share).toFixed(2)} % of ${name} differ: see out/screenshots/`);
      } finally {
        await page.context().close();
      }
    });
  }
});
