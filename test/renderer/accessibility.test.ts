import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { MODES } from '../../renderer/store.ts';
import type { LensDocument } from '../../kernel/document.ts';
import {
  PLACES,
  comparisonDocument,
  crowdedDocument,
  encodersDocument,
  explanationDocument,
  noDependenceDocument,
  selectionDocument,
} from './fixture.ts';
import { chip, choose, leave, pointAt } from './gestures.ts';
import { HOSTS, axeFindings, bundle, openBrowser, stage, type Host } from './stage.ts';

/** Opens everything that unfolds. */
async function unfold(page: Page): Promise<void> {
  for (const summary of await page.locator('summary').all()) await summary.click();
}

/** Brings the view of an explanation, as it is at first, into a state. */
const STATES: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  'at first': async () => undefined,
  'all unfolded, a token held and a place pointed at': async (page) => {
    await unfold(page);
    await chip(page, 'cat').click();
    await pointAt(page, PLACES.dog);
  },
  'several held, side by side': async (page) => {
    for (const word of ['cat', 'house', 'sun']) await chip(page, word).click();
    await leave(page);
  },
  'several held, blended': async (page) => {
    for (const word of ['cat', 'house', 'sun']) await chip(page, word).click();
    await leave(page);
    await choose(page, 'together-blend');
  },
  'at a step of a curve, with another threshold': async (page) => {
    await page.locator('.ratios summary').click();
    await page.locator('[data-control="alpha"]').fill('3');
    await page.locator('[data-control="step"]').fill('5');
  },
  'in words, with a button held': async (page) => {
    await choose(page, 'segmentation-words');
    await page.locator('[data-peek="baseline"]').focus();
    await page.keyboard.down(' ');
  },
  'in sentences, with the focus on the map': async (page) => {
    await choose(page, 'segmentation-sentences');
    await page.locator('.ground').focus();
    await page.keyboard.press('ArrowDown');
  },
  ...Object.fromEntries(
    MODES.map((mode) => [
      `as ${mode}`,
      async (page: Page) => {
        await choose(page, `mode-${mode}`);
        await pointAt(page, PLACES.house);
      },
    ]),
  ),
};

const DOCUMENTS: Readonly<Record<string, readonly [make: () => Promise<LensDocument>, host: Host]>> = {
  'a comparison': [comparisonDocument, HOSTS.dark],
  'a comparison in high contrast': [comparisonDocument, HOSTS['VS Code high contrast']],
  'no dependence': [noDependenceDocument, HOSTS.dark],
  ...Object.fromEntries(
    Object.entries(HOSTS).map(([name, host]) => [`two encoders, ${name}`, [encodersDocument, host] as const]),
  ),
  'a selection': [selectionDocument, HOSTS.light],
  'a narrow view': [explanationDocument, { width: 340 }],
  'a narrow comparison': [comparisonDocument, { width: 340 }],
  'two hundred tokens': [() => crowdedDocument(200), HOSTS['VS Code light']],
};

describe('accessibility, in Chromium', function () {
  this.timeout(180_000);
  let browser: Browser;
  let script: string;
  let page: Page | undefined;

  before(async function () {
    browser = await openBrowser(this, 'accessibility');
    script = await bundle('index', 'esm');
  });
  after(() => browser?.close());
  afterEach(async () => {
    await page?.context().close();
    page = undefined;
  });

  for (const [name, host] of Object.entries(HOSTS)) {
    it(`axe-core finds nothing in any state: ${name}`, async () => {
      const lens = await explanationDocument();
      // Each state in a page of its own, all at the same time: axe keeps one core busy.
      const found = await Promise.all(
        Object.entries(STATES).map(async ([state, reach]) => {
          const own = await stage(browser, script, lens, host);
          try {
            await reach(own);
            return [state, await axeFindings(own)];
          } finally {
            await own.context().close();
          }
        }),
      );
      assert.deepEqual(
        found,
        Object.keys(STATES).map((state) => [state, []]),
      );
    });
  }

  for (const [name, [make, host]] of Object.entries(DOCUMENTS)) {
    it(`axe-core finds nothing, and nothing is wider than the page: ${name}`, async () => {
      page = await stage(browser, script, await make(), host);
      await unfold(page);
      assert.deepEqual(await axeFindings(page), []);
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      assert.equal(await page.evaluate(overflow), 0);
    });
  }

  it('every control is reached by Tab, in the order of the page, with one stop for all tokens', async () => {
    page = await stage(browser, script, await explanationDocument());
    const seen: string[] = [];
    for (let step = 0; step < 30; step++) {
      await page.keyboard.press('Tab');
      const name = await page.evaluate(() => {
        const active = document.querySelector('#output')?.shadowRoot?.activeElement;
        return active
          ? ((active as HTMLElement).dataset['control'] ??
              (active as HTMLElement).dataset['peek'] ??
              active.className) ||
              (active.parentElement?.className ?? '')
          : 'outside';
      });
      if (name === 'outside') break;
      seen.push(name);
    }
    assert.deepEqual(
      seen.map((name) => name.replace(/^chip .*/, 'chip')),
      [
        'ground',
        'mode-heat',
        'original',
        'baseline',
        'fold adjust',
        'chip',
        'segmentation-tokens',
        'curve',
        'step',
        'fold ratios',
        'fold provenance',
        'fold save',
      ],
    );
  });
});
