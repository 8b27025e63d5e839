import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { fieldOf } from '../../renderer/saliency.ts';
import { PIN_COLOURS } from '../../renderer/colour-maps.ts';
import { PLACES, explanationDocument } from './fixture.ts';
import { assertShows, assertShowsValues, chip, choose, leave, pixelsOf, pointAt, texts } from './gestures.ts';
import { HOSTS, bundle, openBrowser, stage } from './stage.ts';

/** The pixel of a canvas at a place, RGBA. */
async function pixelAt(page: Page, { u, v }: { u: number; v: number }, selector = '.heat'): Promise<readonly number[]> {
  const pixels = await pixelsOf(page, 32, 32, 0, selector);
  return pixels[Math.floor(v * 32) * 32 + Math.floor(u * 32)]!;
}

describe('seeing and comparing maps, in Chromium', function () {
  let browser: Browser;
  let script: string;
  let page: Page | undefined;

  before(async function () {
    browser = await openBrowser(this, 'seeing and comparing maps');
    script = await bundle('index', 'esm');
  });
  after(() => browser?.close());
  afterEach(async () => {
    await page?.context().close();
    page = undefined;
  });

  describe('segments', () => {
    it('words and sentences are chips of their own, with the mean of their tokens’ maps', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      page = await stage(browser, script, lens);
      await choose(page, 'segmentation-words');
      assert.equal(await page.locator('.answer').innerText(), only!.answer.text, 'still running text');
      assert.equal(await chip(page, 'terrier').count(), 1);
      assert.match((await chip(page, 'terrier').getAttribute('aria-label')) ?? '', /^terrier: LLR 4\.83 over 2 tokens/);
      await chip(page, 'terrier').hover();
      await assertShows(
        page,
        only!.maps.find(({ label }) => label === 'terr')!,
      );
      await choose(page, 'segmentation-sentences');
      assert.equal(await page.locator('.chip').count(), 1);
      await page.locator('.chip').hover({ position: { x: 30, y: 10 } });
      const own = only!.maps.filter(({ role }) => role === 'token').map(fieldOf);
      const mean = [...own[0]!.values.keys()].map(
        (at) => own.reduce((sum, { values }) => sum + values[at]!, 0) / own.length,
      );
      await assertShowsValues(page, 32, 32, mean);
      assert.match(await page.locator('.readout').innerText(), /Its map is that of 7 tokens, their mean\.$/);
    });

    it('a held token stays held as the word that it is in', async () => {
      page = await stage(browser, script, await explanationDocument());
      await chip(page, 'terr').click();
      await choose(page, 'segmentation-words');
      assert.deepEqual(await texts(page, '.chip.pinned'), ['terrier']);
      await choose(page, 'segmentation-tokens');
      assert.deepEqual(await texts(page, '.chip.pinned'), ['terr']);
    });

    it('the choice is made by arrow keys too', async () => {
      page = await stage(browser, script, await explanationDocument());
      await page.locator('[data-control="segmentation-tokens"]').focus();
      await page.keyboard.press('ArrowRight');
      assert.equal(await chip(page, 'terrier').count(), 1);
    });
  });

  describe('every chip’s strength at a place', () => {
    it('is written on each chip with a map, as its map has it', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      page = await stage(browser, script, lens);
      await pointAt(page, PLACES.cat);
      const shown = await page
        .locator('.chip.mapped')
        .evaluateAll((chips) => chips.map((one) => [one.textContent, (one as HTMLElement).dataset['place']]));
      const cell = Math.floor(PLACES.cat.v * 32) * 32 + Math.floor(PLACES.cat.u * 32);
      const expected = only!.maps
        .filter(({ role }) => role === 'token')
        .map((map) => [map.label, fieldOf(map).values[cell]!] as const);
      assert.equal(shown.length, expected.length);
      for (const [at, [label, value]] of expected.entries()) {
        assert.equal(shown[at]![0], label);
        assert.ok(Math.abs(Number(shown[at]![1]) - value) <= 0.006, `${label}: ${shown[at]![1]} and not ${value}`);
      }
    });
  });

  describe('held tokens', () => {
    it('several are small multiples, each with its map, its value at a place, and a way to let go', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      for (const word of ['cat', 'house', 'sun']) await chip(page, word).click();
      await leave(page);
      assert.deepEqual(await page.locator('.multiple-name').allInnerTexts(), ['cat', 'house', 'sun']);
      const hottest = async (at: number): Promise<number> => {
        const opacities = (await pixelsOf(page!, 32, 32, at, '.small-heat')).map((pixel) => pixel[3]!);
        return opacities.indexOf(Math.max(...opacities));
      };
      for (const [at, word] of ['cat', 'house', 'sun'].entries()) {
        const bytes = [...Buffer.from(lens.explanations[0]!.maps.find(({ label }) => label === word)!.data, 'base64')];
        const peak = bytes.indexOf(Math.max(...bytes));
        const found = await hottest(at);
        const [rows, cols] = [Math.floor(found / 32) - Math.floor(peak / 32), (found % 32) - (peak % 32)];
        assert.ok(Math.abs(rows) <= 1 && Math.abs(cols) <= 1, `${word} is hottest at ${found} and not at ${peak}`);
      }
      await pointAt(page, PLACES.cat);
      const values = (await page.locator('.multiple-value').allInnerTexts()).map(Number);
      assert.ok(values[0]! > 0.8 && values[1]! < 0.2 && values[2]! < 0.2, values.join());
      assert.match(await page.locator('.readout').innerText(), /Held: cat 0\.\d\d, house 0\.\d\d, sun 0\.\d\d\.$/);
      await page.getByRole('button', { name: 'Let go of house' }).click();
      assert.deepEqual(await texts(page, '.chip.pinned'), ['cat', 'sun']);
      await page.locator('.multiple').first().waitFor();
      await page.getByRole('button', { name: 'Let all go' }).click();
      assert.equal(await page.locator('.compare-held').isVisible(), false);
    });

    it('blended, each place has the colour of the token that it matters for', async () => {
      page = await stage(browser, script, await explanationDocument());
      await chip(page, 'cat').click();
      await chip(page, 'sun').click();
      await leave(page);
      await choose(page, 'together-blend');
      const rgb = (hex: string): number[] => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      for (const [at, thing] of (['cat', 'sun'] as const).entries()) {
        const [r, g, b, alpha] = await pixelAt(page, PLACES[thing]);
        assert.ok(alpha! > 100, `${thing} is seen`);
        const expected = rgb(PIN_COLOURS[at]!);
        const off = Math.max(...[r!, g!, b!].map((value, channel) => Math.abs(value - expected[channel]!)));
        assert.ok(off < 20, `${thing} is ${[r, g, b]} and not ${expected}`);
      }
      assert.deepEqual(await page.locator('.swatches li').allInnerTexts(), ['cat', 'sun']);
      assert.equal(await page.locator('.multiple').first().isVisible(), false);
    });

    it('by keyboard: Enter holds one after the other, Escape releases all, and both are said', async () => {
      page = await stage(browser, script, await explanationDocument());
      await chip(page, 'cat').focus();
      await page.keyboard.press('Enter');
      await chip(page, 'sun').focus();
      await page.keyboard.press('Enter');
      await page.waitForTimeout(300);
      assert.equal(await page.locator('[aria-live].spoken').textContent(), 'Held: sun. 2 are held.');
      await page.keyboard.press('Escape');
      await page.waitForTimeout(300);
      assert.equal(await page.locator('[aria-live].spoken').textContent(), 'Let go.');
      assert.equal(await page.locator('.chip.pinned').count(), 0);
    });
  });

  describe('four ways to see a map', () => {
    it('spotlight: what is not salient fades to the paper, light or dark', async () => {
      for (const [host, paper] of [
        [HOSTS.light, 255],
        [HOSTS.dark, 22],
      ] as const) {
        page = await stage(browser, script, await explanationDocument(), host);
        await choose(page, 'mode-spotlight');
        await chip(page, 'cat').hover();
        const [hot, cold] = [await pixelAt(page, PLACES.cat), await pixelAt(page, PLACES.sun)];
        assert.ok(hot[3]! < 40, `the cat is clear: ${hot[3]}`);
        assert.ok(cold[3]! > 150, `the sun is faded: ${cold[3]}`);
        assert.ok(Math.abs(cold[0]! - paper) < 4);
        await page.context().close();
      }
    });

    it('contours: lines of equal saliency around the hot place, as vectors', async () => {
      page = await stage(browser, script, await explanationDocument());
      await choose(page, 'mode-contours');
      await chip(page, 'house').hover();
      const lines = page.locator('.frame .contours [data-level]');
      const levels = await lines.evaluateAll((paths) => paths.map((path) => Number(path.getAttribute('data-level'))));
      assert.deepEqual(levels, [0.15, 0.3, 0.45, 0.6, 0.75, 0.9]);
      const frame = (await page.locator('.frame').boundingBox())!;
      const inner = (await lines.last().boundingBox())!;
      const centre = [
        (inner.x + inner.width / 2 - frame.x) / frame.width,
        (inner.y + inner.height / 2 - frame.y) / frame.height,
      ];
      assert.ok(
        Math.abs(centre[0]! - PLACES.house.u) < 0.04 && Math.abs(centre[1]! - PLACES.house.v) < 0.04,
        centre.join(),
      );
      assert.ok(Math.max(...(await pixelsOf(page, 32, 32)).map((pixel) => pixel[3]!)) === 0, 'no heat beneath');
    });

    it('the map alone: no picture, and every place opaque', async () => {
      page = await stage(browser, script, await explanationDocument());
      await choose(page, 'mode-alone');
      assert.equal(await page.locator('.frame .picture').evaluate((one) => getComputedStyle(one).visibility), 'hidden');
      assert.ok((await pixelsOf(page, 32, 32)).every((pixel) => pixel[3] === 255));
    });

    it('cells as they were computed: one colour from edge to edge', async () => {
      page = await stage(browser, script, await explanationDocument());
      const colours = async (): Promise<number> => {
        const row = (await pixelsOf(page!, 32, 128)).slice(23 * 128, 23 * 128 + 128);
        return new Set(row.map((pixel) => pixel.join())).size;
      };
      assert.ok((await colours()) > 60);
      await page.locator('.adjust summary').click();
      await page.locator('[data-control="sampling"]').selectOption('cells');
      assert.ok((await colours()) <= 32);
      await choose(page, 'mode-contours');
      const path = (await page.locator('.frame .contours [data-level]').nth(2).getAttribute('d'))!;
      const points = [...path.matchAll(/[ML]([\d.]+),([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
      // Every line runs along the edge of a cell, but for the half part that a corner is cut by.
      const offEdge = points.filter((at) => at.every((value) => Math.abs(value! / 8 - Math.round(value! / 8)) > 0.07));
      assert.equal(offEdge.length, 0);
    });

    it('fades from one map into the next where motion is welcome, and not where it is not', async () => {
      for (const [reducedMotion, expected] of [
        ['no-preference', '0.14s'],
        ['reduce', '0s'],
      ] as const) {
        page = await stage(browser, script, await explanationDocument(), { reducedMotion });
        const duration = (): Promise<string> =>
          page!.locator('.heat').evaluate((one) => getComputedStyle(one).transitionDuration);
        assert.equal(await duration(), '0s', 'the first map is there at once');
        await page.waitForTimeout(250);
        await chip(page, 'cat').hover();
        assert.equal(await duration(), expected);
        await page.context().close();
      }
    });
  });

  describe('original and baseline', () => {
    const shows = (): Promise<string | null> => page!.locator('.frame').getAttribute('data-shows');

    it('are seen while a key is held', async () => {
      page = await stage(browser, script, await explanationDocument());
      await page.locator('.ground').focus();
      await page.keyboard.down('o');
      assert.equal(await shows(), 'original');
      assert.equal(await page.locator('.heat').evaluate((one) => getComputedStyle(one).visibility), 'hidden');
      await page.keyboard.up('o');
      assert.equal(await shows(), 'map');
      await page.keyboard.down('b');
      assert.equal(await shows(), 'baseline');
      const pixels = await pixelsOf(page, 8, 8, 0, '.veil');
      assert.ok(
        pixels.every((pixel) => pixel[3] === 255),
        'nothing of the picture is left',
      );
      const [sky, grass] = [pixels[1 * 8 + 4]!, pixels[7 * 8 + 1]!];
      assert.ok(sky[2]! > sky[1]! && grass[1]! > grass[2]!, 'blurred, but above is still blue and below green');
      await page.keyboard.up('b');
      assert.equal(await page.locator('.veil').isVisible(), false);
    });

    it('are seen while a button is held down, by pointer or keyboard', async () => {
      page = await stage(browser, script, await explanationDocument());
      await page.locator('[data-peek="baseline"]').hover();
      await page.mouse.down();
      assert.equal(await shows(), 'baseline');
      await page.mouse.up();
      assert.equal(await shows(), 'map');
      await page.locator('[data-peek="original"]').focus();
      await page.keyboard.down(' ');
      assert.equal(await shows(), 'original');
      await page.keyboard.up(' ');
      assert.equal(await shows(), 'map');
    });
  });

  describe('the host’s keys', () => {
    it('stay the host’s outside the view, with modifiers, and where they mean nothing here', async () => {
      page = await stage(browser, script, await explanationDocument());
      await page.evaluate(() => {
        const seen: string[] = [];
        (window as unknown as { seen: string[] }).seen = seen;
        window.addEventListener('keydown', (event) => seen.push(`${event.key}${event.defaultPrevented ? '!' : ''}`));
      });
      const seen = (): Promise<string[]> =>
        page!.evaluate(() => (window as unknown as { seen: string[] }).seen.splice(0));
      for (const key of ['b', 'o', 'ArrowDown', 'Enter', 'Escape']) await page.keyboard.press(key);
      assert.deepEqual(await seen(), ['b', 'o', 'ArrowDown', 'Enter', 'Escape'], 'without the focus, all of them');
      assert.equal(await page.locator('.frame').getAttribute('data-shows'), 'map');
      await page.locator('.ground').focus();
      for (const key of ['Escape', 'a', 'Control+b', 'F5']) await page.keyboard.press(key);
      assert.deepEqual(await seen(), ['Escape', 'a', 'Control', 'b', 'F5']);
      for (const key of ['ArrowDown', 'Enter', 'Escape', 'b']) await page.keyboard.press(key);
      assert.deepEqual(await seen(), [], 'what the view does something with goes no further');
    });
  });
});
