import os from 'node:os';
import { gzipSync } from 'node:zlib';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { median } from 'simple-statistics';
import type { LensDocument } from '../kernel/document.ts';
import { launchChromium, setUpChromium } from '../test/hosts/chromium.ts';
import { crowdedDocument } from '../test/renderer/fixture.ts';
import { bundle, emptyStage } from '../test/renderer/stage.ts';

/** What must be reached: milliseconds, and bytes after gzip. */
const BARS = {
  firstPaintMs: 100,
  hoverTokenMs: 16,
  sweepTokensMs: 16,
  hoverPlaceMs: 16,
  bundleBytes: 250_000,
} as const;

/** How long the pointer rests on each token and place: as who reads, and as who sweeps across. Milliseconds. */
const REST = { reading: 220, sweeping: 30 } as const;

/** What the measuring page keeps. */
interface BenchWindow extends Window {
  stage: { renderOutputItem(item: { id: string; json: () => unknown }, host: Element): void };
  /** The moment after the next frame was painted. */
  painted(): Promise<number>;
  times: number[];
}

/**
 * How fast is the view? Draws an answer of 200 tokens with 200 maps in Chromium and measures, with real pointer events: from the
 * call of the renderer to the first painted frame (checking the document included), each time on a fresh page; and from the
 * moment of a pointer event to the painted frame that shows its map, over tokens and over the picture. Medians, in milliseconds.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      tokens: { type: 'string', default: '200' },
      pages: { type: 'string', default: '7' },
      hovers: { type: 'string', default: '80' },
    },
  });
  const [tokens, pages, hovers] = [values.tokens, values.pages, values.hovers].map(Number) as [number, number, number];
  const found = await setUpChromium();
  if ('missing' in found) throw new Error(found.missing);
  const browser = await launchChromium(found.path);
  try {
    const [script, lens] = [await bundle('index', 'esm'), await crowdedDocument(tokens)];
    const first: number[] = [];
    const overTokens: number[] = [];
    const acrossTokens: number[] = [];
    const overPlaces: number[] = [];
    for (let at = 0; at < pages; at++) {
      const page = await open(browser, script);
      first.push(await firstPaint(page, lens));
      if (at === pages - 1) {
        const chips = await places(page, '.chip', hovers);
        overTokens.push(...(await hover(page, chips, REST.reading)));
        acrossTokens.push(...(await hover(page, chips, REST.sweeping)));
        overPlaces.push(...(await hover(page, await placesOver(page, hovers), REST.sweeping)));
      }
      await page.context().close();
    }
    const result = {
      tokens,
      maps: lens.explanations[0]!.maps.length,
      documentBytes: JSON.stringify(lens).length,
      firstPaintMs: rounded(median(first)),
      hoverTokenMs: rounded(median(overTokens)),
      sweepTokensMs: rounded(median(acrossTokens)),
      hoverPlaceMs: rounded(median(overPlaces)),
      hovers: overTokens.length + acrossTokens.length + overPlaces.length,
      bundleBytes: gzipSync(script).length,
      bars: BARS,
      chromium: browser.version(),
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      cores: os.cpus().length,
      load: rounded(os.loadavg()[0]!),
      node: process.version,
    };
    console.log(values.json ? JSON.stringify(result) : Object.entries(result).map(line).join('\n'));
  } finally {
    await browser.close();
  }
}

async function open(browser: Browser, script: string): Promise<Page> {
  const page = await emptyStage(browser, script, { reducedMotion: 'no-preference' });
  await page.evaluate(() => {
    const bench = window as unknown as BenchWindow;
    bench.times = [];
    // A message that is sent in a frame arrives after that frame was painted.
    bench.painted = () =>
      new Promise((resolve) => {
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve(performance.now());
          port2.postMessage(0);
        });
      });
    let measuring = false;
    const measure = (event: Event): void => {
      if (measuring) return;
      measuring = true;
      void bench.painted().then((end) => {
        bench.times.push(end - event.timeStamp);
        measuring = false;
      });
    };
    // Before the view's own listeners, so that their work is within what is measured.
    document.addEventListener('pointermove', measure, { capture: true });
  });
  return page;
}

/** From the renderer's call to the painted frame, ms. */
async function firstPaint(page: Page, lens: LensDocument): Promise<number> {
  return page.evaluate(async (json) => {
    const bench = window as unknown as BenchWindow;
    const start = performance.now();
    bench.stage.renderOutputItem({ id: 'one', json: () => json }, document.querySelector('#output')!);
    return (await bench.painted()) - start;
  }, lens);
}

type Point = readonly [x: number, y: number];

/** Middles of elements, in an order in which neighbours rarely follow one another. */
async function places(page: Page, selector: string, count: number): Promise<readonly Point[]> {
  const all = await page.locator(selector).evaluateAll((found) =>
    found.map((one): [number, number] => {
      const box = one.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2];
    }),
  );
  const seen = all.filter(([, y]) => y < 880);
  return Array.from({ length: count }, (_, at) => seen[(at * 37) % seen.length]!);
}

/** Places on the picture. */
async function placesOver(page: Page, count: number): Promise<readonly Point[]> {
  const box = (await page.locator('.ground').boundingBox())!;
  return Array.from({ length: count }, (_, at): Point => {
    const [u, v] = [(at * 0.618) % 1, (at * 0.7549) % 1];
    return [box.x + box.width * u, box.y + box.height * v];
  });
}

/** Moves the pointer from place to place. @returns from each event to the frame that was painted after it, ms */
async function hover(page: Page, points: readonly Point[], rest: number): Promise<readonly number[]> {
  await page.evaluate(() => void ((window as unknown as BenchWindow).times = []));
  for (const [x, y] of points) {
    await page.mouse.move(x, y);
    await page.waitForTimeout(rest);
  }
  const times = await page.evaluate(() => (window as unknown as BenchWindow).times);
  if (times.length < points.length / 2) throw new Error(`only ${times.length} of ${points.length} events were seen`);
  return times;
}

const rounded = (value: number): number => Number(value.toPrecision(3));

const line = ([name, value]: [string, unknown]): string =>
  `${name.padEnd(20)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
