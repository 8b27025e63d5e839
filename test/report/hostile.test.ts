import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import MarkdownIt from 'markdown-it';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import type { LensDocument } from '../../kernel/document.ts';
import { cardPng } from '../../kernel/report/card.ts';
import { markdown } from '../../kernel/report/markdown.ts';
import { renderNotebookPage } from '../../kernel/report/notebook-page.ts';
import { plainText } from '../../kernel/report/plain-text.ts';
import { InvalidDocument, LIMITS, readDocument } from '../../renderer/read-document.ts';
import { comparisonDocument, drawStreet, explanationDocument } from '../renderer/fixture.ts';
import { bundle, openBrowser } from '../renderer/stage.ts';

/** Text that would act if anything took it for more than text. */
const SCRIPT = `</script><script>window.owned=1</script><img src=x onerror="window.owned=1"> [x](javascript:window.owned=1) | \`a\` $x$`;

const TEXTS = [
  SCRIPT,
  '',
  '\u0000\u0001\ud800',
  '\u202e\u2066abc אבג',
  'ﷺ'.repeat(50),
  '🐈‍⬛'.repeat(30),
  'a\u0300\u0301\u0302'.repeat(40),
  '__proto__',
  'x'.repeat(3000),
];

const NUMBERS = [NaN, Infinity, -Infinity, -1, 0, 0.5, 1e6, 1e12, 1e308, 2 ** 53, -0];

const ANYTHING = fc.oneof(
  fc.constantFrom<unknown>(...TEXTS),
  fc.constantFrom<unknown>(...NUMBERS),
  fc.constantFrom<unknown>(null, undefined, true, [], {}, [[]]),
  fc.jsonValue(),
);

/** Keys that would reach every object if something copied them carelessly. */
const POLLUTION = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as object;

type Loose = Record<string | number, unknown>;

/** Where in a document anything stands, without the bytes of pictures. */
function placesIn(value: unknown, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.keys(value).flatMap((key) => [[...at, key], ...placesIn((value as Loose)[key], [...at, key])]);
}

interface Mutation {
  readonly place: readonly (string | number)[];
  readonly how: 'replace' | 'remove' | 'repeat' | 'pollute' | 'scale';
  readonly value: unknown;
  readonly times: number;
}

function mutate(document: Loose, { place, how, value, times }: Mutation): void {
  let parent: unknown = document;
  for (const key of place.slice(0, -1)) {
    if (typeof parent !== 'object' || parent === null) return;
    parent = (parent as Loose)[key];
  }
  if (typeof parent !== 'object' || parent === null) return;
  const holder = parent as Loose;
  const last = place.at(-1)!;
  const old = holder[last];
  const change: Record<Mutation['how'], () => void> = {
    replace: () => (holder[last] = value),
    remove: () => Reflect.deleteProperty(holder, last),
    repeat: () => Array.isArray(old) && (holder[last] = Array.from({ length: times }, () => old as unknown[]).flat()),
    pollute: () => Object.defineProperties(holder, Object.getOwnPropertyDescriptors(structuredClone(POLLUTION))),
    scale: () => typeof old === 'number' && (holder[last] = old * times),
  };
  change[how]();
}

/** What must hold of all that is made of a document. */
async function assertHarmless(lens: LensDocument, drawn: boolean): Promise<void> {
  const html = new MarkdownIt({ html: true, linkify: true }).render(markdown(lens));
  assert.doesNotMatch(html, /<(?:img|script|a|svg|iframe)\b/i);
  assert.doesNotMatch(plainText(lens), /\n/);
  const page = await renderNotebookPage(notebookWith(lens), { script: '' });
  assert.equal(page.match(/<script\b/g)!.length, 2, 'the document’s block and the page’s own script');
  assert.doesNotMatch(page, /<img src=x/);
  if (!drawn) return;
  const { width, height } = await sharp(await cardPng(lens)).metadata();
  assert.equal(width, 1520);
  assert.ok(height < 16_000, `${height} px high`);
}

function notebookWith(document: unknown) {
  const output = {
    output_type: 'display_data' as const,
    metadata: {},
    data: { 'application/vnd.lvlm-lens.v1+json': document, 'text/plain': SCRIPT },
  };
  const cell = { cell_type: 'code' as const, metadata: {}, source: '', execution_count: 1, outputs: [output] };
  return { nbformat: 4 as const, nbformat_minor: 5, metadata: {}, cells: [cell] };
}

describe('documents that mean harm', () => {
  let good: readonly LensDocument[];

  before(async () => {
    const picture = await drawStreet(24);
    good = [await explanationDocument(), await comparisonDocument()].map((lens) => ({ ...lens, images: [picture] }));
  });

  afterEach(() => {
    assert.equal(({} as Loose)['polluted'], undefined);
  });

  /** Spoils a document in one to three places and does everything with it. @returns how many were refused */
  async function fuzz(numRuns: number, drawn: boolean): Promise<number> {
    let refused = 0;
    const places = good.map((lens) => placesIn({ ...lens, images: [{ ...lens.images[0], data: '' }] }));
    const how = fc.constantFrom<Mutation['how']>(
      'replace',
      'replace',
      'replace',
      'remove',
      'repeat',
      'pollute',
      'scale',
    );
    const mutations = (which: number) =>
      fc.array(
        fc.record({
          place: fc.constantFrom(...places[which]!),
          how,
          value: ANYTHING,
          times: fc.constantFrom(-1, 2, 30, 1e9),
        }),
        {
          minLength: 1,
          maxLength: 3,
        },
      );
    const cases = fc.constantFrom(0, 1).chain((which) => fc.tuple(fc.constant(which), mutations(which)));
    await fc.assert(
      fc.asyncProperty(cases, async ([which, list]) => {
        const document = structuredClone(good[which]) as unknown as Loose;
        for (const mutation of list)
          mutate(document, {
            ...mutation,
            times: mutation.how === 'repeat' ? Math.min(Math.abs(mutation.times), 30) : mutation.times,
          });
        let read: LensDocument;
        try {
          read = readDocument(document);
        } catch (error) {
          assert.ok(error instanceof InvalidDocument, String(error));
          refused++;
          return;
        }
        await assertHarmless(read, drawn);
      }),
      { numRuns },
    );
    return refused;
  }

  it('are refused by name or shown safely, wherever they are spoilt: Markdown, text and page', async function () {
    this.timeout(60_000);
    const refused = await fuzz(400, false);
    assert.ok(refused > 100 && refused < 390, `${refused} of 400 were refused`);
  });

  it('the same for the card', async function () {
    this.timeout(120_000);
    const refused = await fuzz(20, true);
    assert.ok(refused > 2 && refused < 20, `${refused} of 20 were refused`);
  });

  it('with a script in every text are text everywhere', async () => {
    for (const lens of good) {
      const hostile = JSON.parse(
        JSON.stringify(lens, (key, value: unknown) =>
          typeof value !== 'string' ||
          ['data', 'mime', 'kind', 'axis', 'source', 'reason', 'role', 'better'].includes(key)
            ? value
            : SCRIPT,
        ),
      ) as { explanations: { answer: { text: string; tokens: { text: string; start: number; end: number }[] } }[] };
      for (const { answer } of hostile.explanations) {
        answer.text = answer.tokens.map(() => SCRIPT).join(' ');
        answer.tokens.forEach((token, at) => {
          token.start = at * (SCRIPT.length + 1);
          token.end = token.start + SCRIPT.length;
        });
      }
      // Curves keep their kind, which is not text.
      const kinds = lens.explanations.map(({ curves }) => curves.map(({ kind }) => kind));
      hostile.explanations.forEach((one, at) => {
        const { curves } = one as unknown as { curves: { kind: string }[] };
        curves.forEach((curve, which) => (curve.kind = kinds[at]![which]!));
      });
      await assertHarmless(readDocument(hostile), true);
    }
  });

  it('of a million tokens are refused without being copied', () => {
    const document = structuredClone(good[0]) as unknown as { explanations: { answer: { tokens: unknown[] } }[] };
    const { answer } = document.explanations[0]!;
    answer.tokens = Array.from({ length: 1e6 }, () => answer.tokens[0]);
    assert.throws(() => readDocument(document), /answer\.tokens/);
  });

  it('that declare a map of a gigabyte get no memory for it', () => {
    for (const [rows, cols] of [
      [32_768, 32_768],
      [1, 2 ** 30],
      [2 ** 31, 2 ** 31],
      [-1, -1],
      [0.5, 2],
    ]) {
      const document = structuredClone(good[0]) as unknown as { explanations: { maps: object[] }[] };
      Object.assign(document.explanations[0]!.maps[0]!, { rows, cols });
      const before = process.memoryUsage().arrayBuffers;
      assert.throws(() => readDocument(document), InvalidDocument);
      assert.ok(process.memoryUsage().arrayBuffers - before < 50e6);
    }
  });

  it('with keys that reach for every object change none, and lose those keys', () => {
    const keys = '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},';
    const everywhere = JSON.parse(JSON.stringify(good[0]).replaceAll('{', `{${keys}`)) as unknown;
    // Among parameters and versions any name is allowed, but not what these hold.
    assert.throws(() => readDocument(everywhere), InvalidDocument);
    const json = JSON.stringify(good[0]).replace('{', `{${keys}`).replaceAll('{"text":', `{${keys}"text":`);
    const read = readDocument(JSON.parse(json));
    assert.deepEqual(read, good[0]);
    assert.equal((read as unknown as Loose)['polluted'], undefined);
    for (const token of read.explanations[0]!.answer.tokens) assert.ok(!Object.hasOwn(token, '__proto__'));
  });

  it('that are as large as a document may be still make a card', async function () {
    this.timeout(60_000);
    const [lens, compared] = good;
    const only = lens!.explanations[0]!;
    const name = 'm'.repeat(LIMITS.shortText);
    const metrics = Array.from({ length: LIMITS.metrics }, (_, at) => ({ name: `${at} ${name.slice(5)}`, value: at }));
    const text = '字 word אבג '.repeat(LIMITS.characters / 11).slice(0, LIMITS.characters);
    const full = {
      ...only,
      question: text,
      label: text,
      metrics,
      model: { ...only.model, id: name },
      answer: { ...only.answer, text },
    };
    const explanations = Array.from({ length: LIMITS.explanations }, () => full);
    const pairs = Array.from({ length: 2000 }, (_, at) => ({
      a: at % 64,
      b: (at * 7) % 64,
      rankCorrelation: 0,
      iouTop20: 0,
    }));
    await assertHarmless(readDocument({ ...lens, explanations: [full] }), true);
    const png = await cardPng(readDocument({ ...compared, explanations, agreement: pairs }));
    const { height } = await sharp(png).metadata();
    assert.ok(height < 16_000, `${height} px`);
  });

  it('whose picture is cut off make a card without it', async () => {
    const [lens] = good;
    const whole = Buffer.from(lens!.images[0]!.data, 'base64');
    const images = [{ ...lens!.images[0]!, data: whole.subarray(0, 60).toString('base64') }];
    const { width } = await sharp(await cardPng(readDocument({ ...lens, images }))).metadata();
    assert.equal(width, 1520);
  });
});

describe('documents that mean harm, in Chromium', function () {
  let browser: Browser;
  let folder: string;
  let script: string;

  before(async function () {
    browser = await openBrowser(this, 'documents that mean harm');
    folder = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-hostile-'));
    script = await bundle('page', 'iife');
  });

  after(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  it('do nothing on a page: each is drawn or leaves what stands beside it', async function () {
    this.timeout(60_000);
    const lens = await explanationDocument();
    const spoilt = fc.sample(
      fc.record({
        place: fc.constantFrom(...placesIn({ ...lens, images: [] })),
        how: fc.constantFrom<Mutation['how']>('replace', 'remove', 'pollute'),
        value: ANYTHING,
        times: fc.constant(2),
      }),
      { numRuns: 30, seed: 42 },
    );
    const documents = spoilt.map((mutation) => {
      const document = structuredClone(lens) as unknown as Loose;
      mutate(document, mutation);
      return document;
    });
    const cells = documents.flatMap((document) => notebookWith(document).cells);
    const file = path.join(folder, 'hostile.html');
    await writeFile(file, await renderNotebookPage({ ...notebookWith(lens), cells }, { script }));
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('request', (request) => {
      if (!/^(?:data|blob|file):/.test(request.url())) faults.push(request.url());
    });
    await page.goto(pathToFileURL(file).href);
    const readable = documents.filter((document) => {
      try {
        readDocument(JSON.parse(JSON.stringify(document)));
        return true;
      } catch {
        return false;
      }
    });
    assert.ok(readable.length > 3 && readable.length < documents.length, `${readable.length} can be read`);
    assert.equal(await page.locator('.lens').count(), readable.length);
    assert.equal(await page.locator('.cell').count(), documents.length);
    assert.equal(await page.evaluate('window.owned'), undefined);
    assert.equal(await page.evaluate('({}).polluted'), undefined);
    assert.deepEqual(faults, []);
    await page.close();
  });
});
