import assert from 'node:assert/strict';
import sharp from 'sharp';
import type { Browser, Page } from 'playwright-core';
import type { LensDocument } from '../../kernel/document.ts';
import { fieldOf, removalOrder } from '../../renderer/saliency.ts';
import { reproduction } from '../../renderer/code.ts';
import {
  PLACES,
  comparisonDocument,
  drawStreet,
  explanation,
  encodersDocument,
  explanationDocument,
  hostileTextDocument,
} from './fixture.ts';
import { assertShows, chip, choose, fileFrom, leave, opacitiesOf, pixelsOf, pointAt, texts } from './gestures.ts';
import { bundle, openBrowser, stage } from './stage.ts';

describe('the proof, comparing, saving and copying, in Chromium', function () {
  let browser: Browser;
  let script: string;
  let page: Page | undefined;

  before(async function () {
    browser = await openBrowser(this, 'the proof, comparing, saving and copying');
    script = await bundle('index', 'esm');
  });
  after(() => browser?.close());
  afterEach(async () => {
    await page?.context().close();
    page = undefined;
  });

  describe('the scrubber', () => {
    for (const kind of ['deletion', 'insertion'] as const) {
      it(`shows the picture at each step of ${kind}: cells go in the order of their saliency`, async () => {
        const lens = await explanationDocument();
        const [only] = lens.explanations;
        page = await stage(browser, script, lens);
        await page.locator('[data-control="curve"]').selectOption({ label: kind });
        await page.locator('[data-control="step"]').fill('6');
        const curve = only!.curves.find((one) => one.kind === kind)!;
        const share = curve.x[5]!;
        const field = fieldOf(only!.maps[0]!);
        const first = new Set(removalOrder(field).subarray(0, Math.round(share * 1024)));
        const pixels = await pixelsOf(page, 32, 32, 0, '.veil');
        for (let cell = 0; cell < 1024; cell++) {
          const gone = first.has(cell) === (kind === 'deletion');
          const neighbours = [cell - 1, cell + 1, cell - 32, cell + 32];
          // Between a cell that is gone and one that is not, the mask is in between.
          if (neighbours.some((other) => first.has(other) !== first.has(cell))) continue;
          const alpha = pixels[cell]![3]!;
          assert.ok(gone ? alpha > 250 : alpha < 5, `cell ${cell}, ${gone ? 'gone' : 'kept'}: ${alpha}`);
        }
        const said = await page.locator('.step').innerText();
        assert.ok(said.startsWith('25 % '), said);
        assert.ok(said.endsWith(`score ${curve.y[5]!.toPrecision(3).replace(/0+$/, '')}`), said);
        assert.equal(await page.locator('[data-control="step"]').getAttribute('aria-valuetext'), said);
        assert.equal(await page.locator('.lens-plot [data-mark="dot"] circle').count(), 1, 'and where on the curve');
      });
    }

    it('goes back to the map by its button, by Escape and at its start', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      const slider = page.locator('[data-control="step"]');
      const shows = (): Promise<string | null> => page!.locator('.frame').getAttribute('data-shows');
      for (const back of [
        () => page!.getByRole('button', { name: 'Back to the map' }).click(),
        () => page!.keyboard.press('Escape'),
        () => page!.keyboard.press('Home'),
      ]) {
        await slider.focus();
        await page.keyboard.press('ArrowRight');
        assert.equal(await shows(), 'step');
        await back();
        assert.equal(await shows(), 'map');
      }
      await assertShows(page, lens.explanations[0]!.maps[0]!);
    });

    it('takes away nothing but to the curve’s own baseline', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      const curves = only!.curves.map((curve) => ({ ...curve, baseline: 'black' }));
      page = await stage(browser, script, { ...lens, explanations: [{ ...only!, curves }] });
      await page.locator('[data-control="step"]').focus();
      await page.keyboard.press('End');
      for (const pixel of await pixelsOf(page, 8, 8, 0, '.veil')) assert.deepEqual(pixel, [0, 0, 0, 255]);
    });
  });

  describe('the ratios of all tokens', () => {
    it('are bars, one for each token, in the answer’s order', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      assert.equal(await page.locator('.ratios .lens-plot').count(), 0, 'not drawn before they are asked for');
      await page.locator('.ratios summary').click();
      const widths = await page
        .locator('.bars [data-token]')
        .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute('width'))));
      const ratios = lens.explanations[0]!.answer.tokens.map(({ llr }) => Math.abs(llr));
      assert.equal(widths.length, ratios.length);
      const scale = widths[7]! / ratios[7]!;
      for (const [at, width] of widths.entries()) assert.ok(Math.abs(width - ratios[at]! * scale) < 0.6, `bar ${at}`);
    });

    it('the threshold selects anew at once: chips, bars, map and words', async () => {
      const lens = await explanationDocument();
      const [only] = lens.explanations;
      page = await stage(browser, script, lens);
      await page.locator('.ratios summary').click();
      await page.locator('[data-control="alpha"]').fill('3');
      assert.deepEqual(await texts(page, '.chip.selected'), ['terr', 'cat', 'house']);
      assert.equal(await page.locator('.bars [fill="var(--bar)"]').count(), 3);
      assert.match(await page.locator('.ratios .note').innerText(), /^3 of 19 tokens are selected\./);
      assert.match(await page.locator('.legend-title').innerText(), /the mean of their maps/);
      const opacities = await opacitiesOf(page);
      const at = ({ u, v }: { u: number; v: number }): number =>
        opacities[Math.floor(v * 32) * 32 + Math.floor(u * 32)]!;
      assert.ok(at(PLACES.cat) > 60 && at(PLACES.sun) < 40, 'the sun is no longer in the joint map');
      await page.locator('[data-control="alpha"]').fill('0.3');
      assert.match(await page.locator('.ratios .note').innerText(), /^10 of 19 .* 3 of them have no map/);
      await page.getByRole('button', { name: 'As computed' }).click();
      assert.equal(await page.locator('.chip.selected').count(), 7);
      await leave(page);
      await assertShows(page, only!.maps[0]!);
    });

    it('a bar points at its token', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      await page.locator('.ratios summary').click();
      await page.locator('.bars [data-token="7"]').hover();
      assert.deepEqual(await texts(page, '.chip.active'), ['cat']);
    });
  });

  describe('comparing', () => {
    it('draws any number of panels with one cursor', async () => {
      const lens = await comparisonDocument();
      const many = Array.from({ length: 9 }, (_, at) => explanation({ label: `run ${at}`, shift: 1 - at / 12 }));
      page = await stage(browser, script, { ...lens, explanations: many, agreement: [] });
      assert.equal(await page.locator('.panel').count(), 9);
      await pointAt(page, PLACES.cat, 0);
      assert.equal(await page.locator('.cursor:not([hidden])').count(), 9);
      assert.equal(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), false);
    });

    it('subtracts one map from another', async () => {
      const lens = await comparisonDocument();
      const other = explanation({
        method: 'igos+',
        label: 'other',
        words: [{ text: 'sun', llr: 3, reason: 'visual', thing: 'sun' }],
      });
      page = await stage(browser, script, { ...lens, explanations: [lens.explanations[0]!, other], agreement: [] });
      await page.locator('.difference summary').click();
      const pixels = await pixelsOf(page, 32, 32, 0, '.heat-difference');
      const at = ({ u, v }: { u: number; v: number }) => pixels[Math.floor(v * 32) * 32 + Math.floor(u * 32)]!;
      const [dog, sun] = [at(PLACES.dog), at(PLACES.sun)];
      assert.ok(dog[3]! > 100 && dog[2]! > dog[0]!, `the dog matters more for the first: purple and not ${dog}`);
      assert.ok(sun[3]! > 60 && sun[0]! > sun[2]!, `the sun matters more for the second: orange and not ${sun}`);
      await page.locator('.difference .ground').focus();
      await page.keyboard.press('ArrowUp');
      assert.match(
        await page.locator('.difference output').innerText(),
        /^Row 16, column 17: difference [+−]?\d\.\d\d/,
      );
      await page.locator('[data-control="difference-first"]').selectOption('1');
      await page.locator('[data-control="difference-second"]').selectOption('0');
      const turned = await pixelsOf(page, 32, 32, 0, '.heat-difference');
      const cell = Math.floor(PLACES.dog.v * 32) * 32 + Math.floor(PLACES.dog.u * 32);
      assert.ok(turned[cell]![0]! > turned[cell]![2]!, 'the other way round, the other colour');
    });

    it('does not subtract maps over different pictures', async () => {
      const lens = await comparisonDocument();
      const images = [lens.images[0]!, await drawStreet(240)];
      const explanations = [
        lens.explanations[0]!,
        lens.explanations[1]!,
        explanation({ image: 1, label: 'elsewhere' }),
      ];
      page = await stage(browser, script, { ...lens, images, explanations, agreement: [] });
      await page.locator('.difference summary').click();
      await page.locator('[data-control="difference-second"]').selectOption('2');
      assert.match(await page.locator('.difference-body').innerText(), /over different pictures/);
    });
  });

  describe('answers, focus and encoders', () => {
    const judged = async (): Promise<LensDocument> => {
      const lens = await comparisonDocument();
      const [first, second, ...others] = lens.explanations;
      const right = { correct: true, references: ['<b>a dog</b>'] };
      return {
        ...lens,
        explanations: [
          { ...first!, focus: 0.125, correctness: right },
          { ...second!, focus: 0.31, correctness: { correct: false, references: ['<img src=x>', 'a cat'] } },
          ...others,
        ],
        agreement: lens.agreement!.map((pair) => ({ ...pair, earthMovers: 0.07 })),
      };
    };

    it('tells for each explanation its answer, whether it is right, its visual words and its focus', async () => {
      const lens = await judged();
      page = await stage(browser, script, lens);
      const heads = await texts(page, '.findings thead th');
      assert.deepEqual(heads, ['answer', 'reference', 'words that depend on the image, LLR', 'focus']);
      const rows = await page.locator('.findings tbody tr').all();
      assert.equal(rows.length, lens.explanations.length);
      const first = await rows[0]!.locator('td').allInnerTexts();
      assert.deepEqual([first[0], first[1], first[3]], [lens.explanations[0]!.answer.text, 'right', '12.5 %']);
      assert.match(first[2]!, /brown 2\.31, terr 4\.42/);
      assert.equal(await rows[1]!.locator('td').nth(1).innerText(), 'wrong');
      const said = await texts(page, '.rightness');
      assert.deepEqual(said, ['The answer is right.', 'The answer is wrong. Acceptable: <img src=x> · a cat']);
      assert.equal(await page.locator('.rightness img').count(), 0);
    });

    it('measures agreement by the earth mover’s distance, where the document has it', async () => {
      const lens = await judged();
      page = await stage(browser, script, lens);
      await page.locator('[data-control="measure"]').selectOption('earthMovers');
      assert.match(await page.locator('.matrix caption').innerText(), /earth mover’s distance/);
      assert.equal((await texts(page, '.matrix td.number'))[0], '0.07');
      await page.context().close();
      const { agreement, ...rest } = lens;
      const older = agreement!.map(({ earthMovers: _, ...pair }) => pair);
      page = await stage(browser, script, { ...rest, agreement: older });
      assert.equal(await page.locator('[data-control="measure"] option').count(), 2);
      await assert.rejects(page.locator('[data-control="measure"]').selectOption('earthMovers', { timeout: 500 }));
    });

    it('says what each encoder contributed, with a map of each', async () => {
      page = await stage(browser, script, await encodersDocument());
      await page.locator('.encoders summary').click();
      const cells = await texts(page, '.contributions tbody td');
      assert.deepEqual(cells, ['96 × 96 px', '75 %', '4', '2.5', '192 × 192 px', '25 %', '1', '0.25']);
      assert.deepEqual(await texts(page, '.encoders .multiple-name'), ['low', 'high']);
      const pixels = await pixelsOf(page, 16, 16, 0, '.encoders .small-heat');
      assert.ok(
        pixels.some(([, , , alpha]) => alpha! > 0),
        'the map is drawn',
      );
      await page.context().close();
      page = await stage(browser, script, await explanationDocument());
      assert.equal(await page.locator('.encoders').count(), 0);
    });
  });

  describe('saving and copying', () => {
    it('the figure as PNG at 2×, with what is seen now', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      await page.locator('.save summary').click();
      const { name, content } = await fileFrom(page, '[data-save="png"]');
      assert.equal(name, 'what-can-you-see-in-this-picture.png');
      const { width, height } = await sharp(content).metadata();
      const svg = (await fileFrom(page, '[data-save="svg"]')).content.toString();
      const size = /^<svg [^>]*width="(\d+)" height="(\d+)"/.exec(svg)!;
      assert.deepEqual([width, height], [2 * Number(size[1]), 2 * Number(size[2])]);
      // The picture is in it: 320 px wide from 24 px, at twice the density, with the heat over the dog.
      const { data, info } = await sharp(content).removeAlpha().raw().toBuffer({ resolveWithObject: true });
      const at = ({ u, v }: { u: number; v: number }): readonly number[] => {
        const [x, y] = [Math.round(2 * (24 + 320 * u)), Math.round(2 * (24 + 320 * v))];
        return [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
      };
      const [r, g, b] = at(PLACES.dog);
      assert.ok(r! > 150 && g! > 130 && b! < 90, `the hottest place is yellow and not ${[r, g, b]}`);
    });

    it('the figure as SVG: its text is text, its marks are shapes, its lines are paths', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      await choose(page, 'mode-contours');
      for (const word of ['cat', 'sun']) await chip(page, word).click();
      await page.locator('.save summary').click();
      const { name, content } = await fileFrom(page, '[data-save="svg"]');
      assert.equal(name, 'what-can-you-see-in-this-picture.svg');
      const found = await page.evaluate((markup) => {
        const svg = new DOMParser().parseFromString(markup, 'image/svg+xml');
        return {
          fault: svg.querySelector('parsererror')?.textContent ?? null,
          words: [...svg.querySelectorAll('text')].map((one) => one.textContent),
          underlines: svg.querySelectorAll('rect[fill="#9a5b00"]').length,
          contours: svg.querySelectorAll('path[data-level]').length,
          curves: svg.querySelectorAll('path[stroke="#b0432c"], path[stroke="#17705a"]').length,
          images: [...svg.querySelectorAll('image')].map((one) => (one.getAttribute('href') ?? '').slice(0, 15)),
          outside: /var\(--|https?:\/\/(?!www\.w3\.org)/.test(markup),
        };
      }, content.toString());
      assert.equal(found.fault, null);
      for (const word of ['terrier', 'cat', 'house', 'What', 'LLR', '5.87']) {
        assert.ok(
          found.words.some((text) => text.includes(word)),
          word,
        );
      }
      assert.equal(found.underlines, 7);
      assert.equal(found.curves, 2);
      assert.equal(found.contours, 6 * 3, 'of the picture and of two held maps');
      assert.deepEqual(found.images, ['data:image/webp', 'data:image/webp', 'data:image/webp']);
      assert.equal(found.outside, false);
    });

    it('hostile text in the SVG is text', async () => {
      const lens = await hostileTextDocument();
      const [only] = lens.explanations;
      const question = 'a\u0000b \ud800 ]]> <script>window.owned=1</script>';
      page = await stage(browser, script, { ...lens, explanations: [{ ...only!, question }] });
      await page.locator('.save summary').click();
      const { content } = await fileFrom(page, '[data-save="svg"]');
      const found = await page.evaluate((markup) => {
        const svg = new DOMParser().parseFromString(markup, 'image/svg+xml');
        return [svg.querySelectorAll('parsererror, script, foreignObject').length, svg.documentElement.textContent];
      }, content.toString());
      assert.equal(found[0], 0);
      assert.ok(String(found[1]).includes('window.owned=1'));
      await fileFrom(page, '[data-save="png"]');
      assert.equal(await page.evaluate('window.owned'), undefined);
    });

    it('the card, the data and the code', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      await page.locator('.save summary').click();
      const card = await fileFrom(page, '[data-save="card"]');
      assert.equal(card.name, 'what-can-you-see-in-this-picture-card.png');
      assert.equal((await sharp(card.content).metadata()).width, 1520);
      const json = await fileFrom(page, '[data-save="json"]');
      assert.deepEqual(JSON.parse(json.content.toString()), lens);
      const code = await fileFrom(page, '[data-save="code"]');
      assert.equal(code.name, 'what-can-you-see-in-this-picture.ts');
      assert.equal(code.content.toString(), reproduction(lens));
    });

    it('copies: text as text, pictures as pictures', async () => {
      const lens = await explanationDocument();
      page = await stage(browser, script, lens);
      // A page without an address has no clipboard: what the view hands to it is what counts.
      await page.evaluate(() => {
        const copied: unknown[] = [];
        (window as unknown as { copied: unknown[] }).copied = copied;
        const clipboard = {
          writeText: async (text: string) => void copied.push(text),
          write: async (items: ClipboardItem[]) => {
            for (const item of items) {
              const blob = await item.getType(item.types[0]!);
              copied.push([item.types.join(), blob.size]);
            }
          },
        };
        Object.defineProperty(navigator, 'clipboard', { value: clipboard });
        if (!('ClipboardItem' in window)) {
          Object.defineProperty(window, 'ClipboardItem', {
            value: class {
              readonly types: string[];
              constructor(private readonly items: Record<string, Blob>) {
                this.types = Object.keys(items);
              }
              async getType(type: string): Promise<Blob> {
                return this.items[type]!;
              }
            },
          });
        }
      });
      await page.locator('.provenance summary').click();
      await page.getByRole('button', { name: 'Copy code' }).click();
      await page.locator('.save summary').click();
      for (const kind of ['png', 'svg', 'json', 'code']) {
        const button = page.locator(`[data-copy="${kind}"]`);
        await button.click();
        await button.filter({ hasText: 'Copied' }).waitFor();
      }
      const copied = await page.evaluate(() => (window as unknown as { copied: unknown[] }).copied);
      assert.equal(copied[0], reproduction(lens));
      assert.equal((copied[1] as [string, number])[0], 'image/png');
      assert.ok((copied[1] as [string, number])[1] > 50_000);
      assert.match(String(copied[2]), /^<svg /);
      assert.deepEqual(JSON.parse(String(copied[3])), lens);
      assert.equal(copied[4], reproduction(lens));
    });
  });
});
