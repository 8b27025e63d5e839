import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import {
  PLACES,
  comparisonDocument,
  explanationDocument,
  hostileTextDocument,
  noDependenceDocument,
  selectionDocument,
} from './fixture.ts';
import { assertShows, chip, opacitiesOf, pixelsOf, pointAt, texts } from './gestures.ts';
import { HOSTS, bundle, dispose, draw, emptyStage, openBrowser, stage } from './stage.ts';

describe('the view, in Chromium', function () {
  let browser: Browser;
  let script: string;
  let page: Page | undefined;

  before(async function () {
    browser = await openBrowser(this, 'the view');
    script = await bundle('index', 'esm');
  });

  after(() => browser?.close());

  afterEach(async () => {
    await page?.context().close();
    page = undefined;
  });

  describe('tokens and maps', () => {
    it('shows the joint map at first', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      await assertShows(page, lens.explanations[0]!.maps[0]!);
    });

    it('shows a token’s map while the pointer is on the token', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      for (const word of ['cat', 'house', 'sun']) {
        await chip(page, word).hover();
        const map = lens.explanations[0]!.maps.find(({ label }) => label === word)!;
        await assertShows(page, map);
        assert.match(await page.locator('.legend-title').innerText(), new RegExp(`“${word}”`));
      }
      await page.mouse.move(2, 2);
      await assertShows(page, lens.explanations[0]!.maps[0]!);
    });

    it('fades from map to map, and arrives', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens, { reducedMotion: 'no-preference' });
      await chip(page, 'sun').hover();
      await page.waitForTimeout(600);
      await assertShows(
        page,
        lens.explanations[0]!.maps.find(({ label }) => label === 'sun')!,
      );
    });

    it('says how much a token depends on the image, and that a token without a map has none', async () => {
      page = await stage(browser, script, await explanationDocument());
      await chip(page, 'cat').hover();
      assert.match(
        await page.locator('.readout').innerText(),
        /^“cat” LLR 5\.87: probability 95\.1 % with the image, 0\.269 % without; depends on the image\.$/,
      );
      await chip(page, 'under').hover();
      assert.match(await page.locator('.readout').innerText(), /below the threshold\. It has no map of its own\.$/);
    });

    it('reads as running text and keeps every character of the answer', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      assert.equal(await page.locator('.answer').innerText(), lens.explanations[0]!.answer.text);
      assert.deepEqual(await texts(page, '.chip.selected'), ['brown', 'terr', 'grey', 'cat', 'front', 'house', 'sun']);
    });

    it('marks the tokens that a place matters for, with the value', async () => {
      page = await stage(browser, script, await explanationDocument());
      await pointAt(page, PLACES.dog);
      assert.deepEqual(await texts(page, '.chip.marked'), ['brown', 'terr']);
      const values = await page
        .locator('.chip.marked')
        .evaluateAll((chips) => chips.map((one) => (one as HTMLElement).dataset['place']!));
      for (const value of values) assert.ok(Number(value) > 0.85 && Number(value) <= 1, value);
      assert.match(
        await page.locator('.readout').innerText(),
        /^Row 24, column 23 \(pixel 675, 705\): 0\.961, rank 1 of 1024\. Matters for /,
      );
      await pointAt(page, PLACES.cat);
      assert.deepEqual(await texts(page, '.chip.marked'), ['grey', 'cat']);
      await pointAt(page, { u: 0.02, v: 0.98 });
      assert.deepEqual(await texts(page, '.chip.marked'), []);
      assert.match(await page.locator('.readout').innerText(), /no word in particular/);
    });

    it('holds a token by click and lets go by Escape', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      await chip(page, 'sun').click();
      await page.mouse.move(2, 2);
      const sun = lens.explanations[0]!.maps.find(({ label }) => label === 'sun')!;
      await assertShows(page, sun);
      assert.equal(await chip(page, 'sun').getAttribute('aria-pressed'), 'true');
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('[aria-pressed="true"]').count(), 0);
      await assertShows(page, lens.explanations[0]!.maps[0]!);
    });

    it('holds a place by click, and lets go by a second one', async () => {
      page = await stage(browser, script, await explanationDocument());
      await pointAt(page, PLACES.sun);
      await page.mouse.down();
      await page.mouse.up();
      await page.mouse.move(2, 2);
      assert.deepEqual(await texts(page, '.chip.marked'), ['sun']);
      await pointAt(page, PLACES.sun);
      await page.mouse.down();
      await page.mouse.up();
      await page.mouse.move(2, 2);
      assert.deepEqual(await texts(page, '.chip.marked'), []);
    });
  });

  describe('the keyboard', () => {
    it('moves over tokens by arrow keys with one stop for Tab, holds by Enter, lets go by Escape', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      assert.equal(await page.locator('.chip[tabindex="0"]').count(), 1);
      await chip(page, 'A').focus();
      for (let step = 0; step < 7; step++) await page.keyboard.press('ArrowRight');
      assert.deepEqual(await texts(page, '.chip.active'), ['cat']);
      assert.equal(await page.locator('.chip[tabindex="0"]').count(), 1);
      const cat = lens.explanations[0]!.maps.find(({ label }) => label === 'cat')!;
      await assertShows(page, cat);
      await page.keyboard.press('Enter');
      await page.keyboard.press('End');
      assert.deepEqual(await texts(page, '.chip.active'), ['.']);
      await assertShows(page, lens.explanations[0]!.maps[0]!);
      await page.keyboard.press('Home');
      assert.deepEqual(await texts(page, '.chip.active'), ['A']);
      assert.deepEqual(await texts(page, '.chip.pinned'), ['cat']);
      await page.keyboard.press('Escape');
      assert.deepEqual(await texts(page, '.chip.pinned'), []);
    });

    it('moves to the token below and above', async () => {
      page = await stage(browser, script, await explanationDocument(), { width: 420 });
      await chip(page, 'grey').focus();
      const above = (await chip(page, 'grey').boundingBox())!;
      await page.keyboard.press('ArrowDown');
      const below = (await page.locator('.chip.active').boundingBox())!;
      assert.ok(below.y > above.y + above.height / 2);
      assert.ok(Math.abs(below.x - above.x) < 80, `${below.x} is not near ${above.x}`);
      await page.keyboard.press('ArrowUp');
      assert.ok((await page.locator('.chip.active').boundingBox())!.y < below.y);
    });

    it('moves a cursor over the picture and reads the values out', async () => {
      page = await stage(browser, script, await explanationDocument());
      await page.locator('.ground').focus();
      assert.match(await page.locator('.readout').innerText(), /^Row 17, column 17 \(pixel /);
      for (let step = 0; step < 7; step++) await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Shift+ArrowRight');
      await page.waitForTimeout(400);
      const spoken = await page.locator('[aria-live="polite"].spoken').textContent();
      assert.match(
        spoken ?? '',
        /^Row 24, column 22 \(pixel \d+, \d+\): 0\.\d+, rank \d+ of 1024\. Matters for .*(?:terr|brown) 0\.\d\d/,
      );
      assert.deepEqual(await texts(page, '.chip.marked'), ['brown', 'terr']);
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      assert.deepEqual(await texts(page, '.chip.marked'), ['brown', 'terr'], 'held while the focus goes on');
      // Every token's value at the held place can be reached and heard.
      await chip(page, 'cat').focus();
      await page.waitForTimeout(400);
      assert.match(
        (await page.locator('[aria-live="polite"].spoken').textContent()) ?? '',
        /^Row 24, column 22 \(pixel \d+, \d+\): 0\.0\d+, rank \d+ of 1024/,
      );
      await page.keyboard.press('Escape');
      assert.deepEqual(await texts(page, '.chip.marked'), []);
      await page.waitForTimeout(400);
      assert.equal(await page.locator('[aria-live="polite"].spoken').textContent(), 'Let go.');
    });
  });

  describe('how the heat is drawn', () => {
    it('opacity, threshold and colours change the canvas', async () => {
      page = await stage(browser, script, await explanationDocument());
      const covered = (opacities: readonly number[]): number => opacities.filter((opacity) => opacity > 0).length;
      const before = await opacitiesOf(page);
      assert.ok(Math.abs(Math.max(...before) - 0.7 * 255) < 6);
      await page.locator('.adjust summary').click();
      await page.locator('[data-control="opacity"]').fill('40');
      assert.ok(Math.abs(Math.max(...(await opacitiesOf(page))) - 0.4 * 255) < 6);
      await page.locator('[data-control="threshold"]').fill('50');
      const after = await opacitiesOf(page);
      assert.ok(covered(after) > 10 && covered(after) < covered(before) / 5, `${covered(after)} of ${covered(before)}`);
      await page.locator('[data-control="colourMap"]').selectOption('greys');
      const strong = (await pixelsOf(page, 32, 32)).filter(([, , , opacity]) => opacity! > 60);
      assert.ok(strong.length > 10);
      for (const [r, g, b] of strong)
        assert.ok(Math.abs(r! - g!) < 6 && Math.abs(g! - b!) < 6, 'grey has equal channels');
    });

    it('one scale for all maps shows weak maps as weak, and the legend says so', async () => {
      const lens = await comparisonDocument();
      page = await stage(browser, script, lens);
      const high = (panel: number): Promise<string> =>
        page!.locator('.ticks').nth(panel).locator('span').last().innerText();
      assert.ok(Number(await high(2)) < 0.5);
      await page.locator('.adjust summary').click();
      await page.locator('[data-control="scale"]').selectOption('shared');
      assert.equal(await high(2), await high(0));
      assert.ok(Math.max(...(await opacitiesOf(page, 2))) < 0.45 * 255);
    });

    it('does not move when the picture comes', async () => {
      const lens = await explanationDocument();
      page = await emptyStage(browser, script);
      await page.route('**/*', (route) => route.abort());
      await page.evaluate(() => {
        const seen: number[] = [];
        (window as unknown as { shifts: number[] }).shifts = seen;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) seen.push((entry as unknown as { value: number }).value);
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await draw(page, lens);
      const early = await page.locator('.frame').boundingBox();
      await page.locator('.picture').evaluate((picture) => (picture as HTMLImageElement).decode());
      await page.waitForTimeout(100);
      assert.deepEqual(await page.locator('.frame').boundingBox(), early);
      assert.ok(Math.abs(early!.width - early!.height) < 1, 'the frame has the picture’s shape');
      assert.deepEqual(await page.evaluate('window.shifts'), [], 'the browser saw nothing move');
    });
  });

  describe('kinds of document', () => {
    it('says plainly that an answer does not depend on the image', async () => {
      page = await stage(browser, script, await noDependenceDocument());
      assert.match(await page.locator('.statement').innerText(), /^The answer does not depend on the image\./);
      assert.match(await page.locator('.statement').innerText(), /largest ratio is 0\.27/);
      assert.equal(await page.locator('.heat').count(), 0);
    });

    it('says where an easier rule selected the tokens, and where another baseline stood in', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      const parameters = { thresholdAsked: 'auto', baselineAsked: 'auto', baseline: 'black' };
      const eased = {
        ...only!,
        answer: { ...only!.answer, threshold: 0.1 },
        provenance: { ...only!.provenance, parameters },
      };
      page = await stage(browser, script, { ...lens, explanations: [eased] });
      const notes = await page.locator('.told > .note').allInnerTexts();
      assert.match(notes[0]!, /those above 0\.1 are counted/);
      assert.match(notes[1]!, /“black” stands in for the image/);
      assert.match(notes[2]!, /^Deletion takes/);
    });

    it('says which tokens are underlined: those above a threshold, or those that were chosen', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      const legend = async (document: typeof lens): Promise<string> => {
        await page?.context().close();
        page = await stage(browser, script, document);
        return page.locator('.token-legend').innerText();
      };
      assert.match(await legend(lens), /Underlined: selected \(above 1\)\.$/);
      const tokens = only!.answer.tokens.map((token) => ({
        ...token,
        reason: token.selected ? 'chosen' : 'not chosen',
      }));
      const chosen = { ...lens, explanations: [{ ...only!, answer: { ...only!.answer, tokens } }] } as typeof lens;
      assert.match(await legend(chosen), /Underlined: chosen to be explained\.$/);
    });

    it('warns of a map of which looking confirmed nothing', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      const maps = only!.maps.map((map) => (map.role === 'joint' ? { ...map, confirmed: false } : map));
      page = await stage(browser, script, { ...lens, explanations: [{ ...only!, maps }] });
      const [note] = await page.locator('.told > .note').allInnerTexts();
      assert.match(note!, /nothing on this map is confirmed/);
    });

    it('shows a selection without heat', async () => {
      page = await stage(browser, script, await selectionDocument());
      assert.equal(await page.locator('.heat').count(), 0);
      assert.equal(await page.locator('.statement').count(), 0);
      assert.equal(await page.locator('.chip.selected').count(), 7);
    });

    it('compares side by side with one cursor, following tokens, and a table of agreement', async () => {
      const lens = await comparisonDocument();
      page = await stage(browser, script, lens);
      const boxes = await page
        .locator('.panel')
        .evaluateAll((panels) => panels.map((one) => one.getBoundingClientRect().top));
      assert.equal(new Set(boxes).size, 1);
      await pointAt(page, PLACES.cat, 1);
      assert.equal(await page.locator('.cursor:not([hidden])').count(), 3);
      assert.equal(await page.locator('.chip.marked').count(), 6);
      await page.locator('.answer').nth(2).locator('.chip', { hasText: 'house' }).hover();
      for (const [panel, { maps }] of lens.explanations.entries()) {
        await assertShows(
          page,
          maps.find(({ label }) => label === 'house')!,
          panel,
        );
      }
      const matrix = (): Promise<string[][]> =>
        page!
          .locator('.agreement tbody tr')
          .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
      assert.deepEqual(await matrix(), [
        ['igos++', '·', '0.81', '−0.07'],
        ['igos+', '0.81', '·', '0.00'],
        ['grad-cam', '−0.07', '0.00', '·'],
      ]);
      await page.locator('[data-control="measure"]').selectOption('iouTop20');
      assert.deepEqual((await matrix())[0], ['igos++', '·', '0.62', '0.11']);
      const scores = await page.locator('.score-table tbody tr').allInnerTexts();
      assert.match(
        scores[0]!,
        /^igos\+\+\s+0\.131\s+0\.817\s+0\.71\s+0\.64 to 0\.78 \(95 %\)\s+7 of 19\s+200\s+5\.13 s$/,
      );
      assert.deepEqual(await page.locator('.score-table .best').allInnerTexts(), ['0.131', '0.817']);
    });

    it('gives the curves with their scores, and the whole provenance', async () => {
      page = await stage(browser, script, await explanationDocument());
      assert.deepEqual(await page.locator('.scores dt').allInnerTexts(), ['deletion', 'insertion', 'energy inside']);
      assert.match(
        (await page.locator('.lens-plot').getAttribute('aria-label')) ?? '',
        /deletion 0\.131, insertion 0\.817/,
      );
      assert.equal(await page.locator('.lens-plot path[stroke^="var(--lens"]').count(), 2);
      await page.locator('.provenance summary').click();
      const told = await page.locator('.provenance').innerText();
      for (const part of [
        'pocket (llava)',
        '212 forward, 200 gradient',
        'learningRate',
        '5b1f0e2c',
        'onnxruntime-node 1.30.0',
      ]) {
        assert.ok(told.includes(part), part);
      }
    });
  });

  describe('strangers’ documents', () => {
    it('shows markup in the answer and the question as text', async () => {
      const lens = await hostileTextDocument();
      page = await stage(browser, script, lens);
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      assert.ok(
        (await page.locator('.answer').innerText()).startsWith('<img src=x onerror="window.owned=1"> </script>'),
      );
      assert.equal(await page.locator('.question').innerText(), lens.explanations[0]!.question);
      assert.equal(await page.locator('.answer img, .answer script, .question b').count(), 0);
      await page.locator('.chip').first().hover();
      await page.locator('.chip').first().click();
      await page.waitForTimeout(300);
      assert.equal(await page.evaluate('window.owned'), undefined);
      assert.deepEqual(errors, []);
    });

    it('leaves what it does not know or trust to the next renderer', async () => {
      page = await emptyStage(browser, script);
      const good = await explanationDocument();
      for (const value of [null, {}, 'text', { ...good, schemaVersion: 2 }, { ...good, kind: 'party' }]) {
        assert.equal(await draw(page, value), 'vscode.fallbackToNextRenderer');
      }
      assert.equal(await draw(page, good), undefined);
    });

    it('draws anew over an old output, and takes it away', async () => {
      page = await stage(browser, script, await explanationDocument());
      assert.equal(await draw(page, await noDependenceDocument()), undefined);
      assert.equal(await page.locator('.lens').count(), 1);
      await dispose(page);
      assert.equal(await page.locator('.lens').count(), 0);
    });
  });

  describe('themes', () => {
    it('follows VS Code when its theme changes', async () => {
      page = await stage(browser, script, await explanationDocument(), HOSTS['VS Code light']);
      assert.equal(await page.locator('.lens').getAttribute('data-theme'), 'light');
      await page.evaluate(() => (document.body.className = 'vscode-high-contrast'));
      await page.locator('.lens[data-theme="dark"][data-contrast="more"]').waitFor({ timeout: 2000 });
    });
  });
});
