import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { LensDocument } from '../../kernel/document.ts';
import { InvalidDocument, LIMITS, readDocument } from '../../renderer/read-document.ts';
import {
  comparisonDocument,
  drawStreet,
  explanationDocument,
  largeDocument,
  noDependenceDocument,
  selectionDocument,
} from './fixture.ts';

/** A document as JSON that a test may spoil. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- it holds anything, and that is its point
type Loose = Record<string | number, any>;

const bytes = (count: number): string => Buffer.alloc(count, 7).toString('base64');

/** What is done to a good document, and what the refusal must speak of. */
const HOSTILE: readonly (readonly [name: string, spoil: (document: Loose) => void, message: RegExp])[] = [
  ['an unknown version', (d) => (d['schemaVersion'] = 2), /schemaVersion/],
  ['an unknown kind', (d) => (d['kind'] = 'party'), /kind/],
  ['no explanations', (d) => (d['explanations'] = []), /exactly one explanation/],
  ['a map shorter than its grid', (d) => (d['explanations'][0].maps[0].data = bytes(1023)), /rows · cols bytes/],
  ['a map longer than its grid', (d) => (d['explanations'][0].maps[0].data = bytes(1025)), /rows · cols bytes/],
  ['a map that is not base64', (d) => (d['explanations'][0].maps[0].data = '@'.repeat(1368)), /base64/],
  [
    'a huge map',
    (d) => Object.assign(d['explanations'][0].maps[0], { rows: 100_000, cols: 100_000, data: '' }),
    /maps\.0\.rows/,
  ],
  ['a map without cells', (d) => Object.assign(d['explanations'][0].maps[0], { rows: 0, data: '' }), /maps\.0\.rows/],
  ['a scale that is not a number', (d) => (d['explanations'][0].maps[0].scale = NaN), /maps\.0\.scale/],
  ['an infinite offset', (d) => (d['explanations'][0].maps[0].offset = Infinity), /maps\.0\.offset/],
  ['a scale that overflows', (d) => (d['explanations'][0].maps[0].scale = 1e300), /maps\.0\.scale/],
  ['a map of a token that is not there', (d) => (d['explanations'][0].maps[1].tokens = [99]), /does not have/],
  [
    'too many maps',
    (d) => (d['explanations'][0].maps = Array(LIMITS.mapsPerExplanation + 1).fill(d['explanations'][0].maps[0])),
    /maps/,
  ],
  [
    'too many tokens',
    (d) => (d['explanations'][0].answer.tokens = Array(LIMITS.tokens + 1).fill(d['explanations'][0].answer.tokens[0])),
    /tokens/,
  ],
  ['an endless answer', (d) => (d['explanations'][0].answer.text = 'x'.repeat(LIMITS.characters + 1)), /answer\.text/],
  ['a token beyond the answer', (d) => (d['explanations'][0].answer.tokens[3].end = 1e6), /beyond the answer/],
  [
    'a token that ends before it starts',
    (d) => Object.assign(d['explanations'][0].answer.tokens[3], { start: 5, end: 2 }),
    /ends before/,
  ],
  ['an LLR that is null', (d) => (d['explanations'][0].answer.tokens[3].llr = null), /llr/],
  ['text that is an object', (d) => (d['explanations'][0].question = { toString: 'x' }), /question/],
  ['an image that is not there', (d) => (d['explanations'][0].image = 1), /does not have/],
  ['an SVG as an image', (d) => (d['images'][0].mime = 'image/svg+xml'), /mime/],
  [
    'an SVG that says it is a PNG',
    (d) =>
      Object.assign(d['images'][0], {
        mime: 'image/png',
        data: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="480" height="480"/>').toString('base64'),
      }),
    /stated type/,
  ],
  ['a picture larger than it says', (d) => (d['images'][0].width = 100), /stated type and size/],
  ['a picture larger than any', (d) => (d['images'][0].width = 30_000), /width/],
  ['a picture that is none', (d) => (d['images'][0].data = bytes(30)), /stated type/],
  ['curves of unequal length', (d) => (d['explanations'][0].curves[0].y = [1]), /different lengths/],
  ['a curve beyond its axis', (d) => (d['explanations'][0].curves[0].x[3] = 7), /curves\.0\.x/],
  [
    'an agreement beyond its range',
    (d) => (d['agreement'] = [{ a: 0, b: 0, rankCorrelation: 3, iouTop20: 0 }]),
    /rankCorrelation/,
  ],
  [
    'an agreement about nothing',
    (d) => (d['agreement'] = [{ a: 0, b: 5, rankCorrelation: 0, iouTop20: 0 }]),
    /does not have/,
  ],
];

describe('reading a document', () => {
  let good: LensDocument;

  before(async () => {
    good = await explanationDocument();
  });

  it('accepts every kind, and gives it back as it is', async () => {
    for (const document of [
      good,
      await comparisonDocument(),
      await selectionDocument(),
      await noDependenceDocument(),
      await largeDocument(),
    ]) {
      assert.deepEqual(readDocument(JSON.parse(JSON.stringify(document))), document);
    }
  });

  it('leaves out what it does not know', () => {
    assert.deepEqual(readDocument({ ...good, later: { x: 1 } }), good);
  });

  for (const [name, spoil, message] of HOSTILE) {
    it(`refuses ${name}`, () => {
      const document = structuredClone(good) as unknown as Loose;
      spoil(document);
      assert.throws(
        () => readDocument(document),
        (error) => error instanceof InvalidDocument && message.test(error.message),
      );
    });
  }

  it('refuses any other JSON, and never fails otherwise', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.throws(() => readDocument(value), InvalidDocument);
      }),
    );
  });

  it('accepts or refuses, and never fails otherwise, whichever value is put anywhere', async () => {
    const picture = await drawStreet(16);
    const places: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const key of Object.keys(value)) {
        places.push([...path, key]);
        walk((value as Loose)[key], [...path, key]);
      }
    };
    walk({ ...good, images: [{ ...good.images[0], data: '' }] }, []);
    // A small picture: what is tested here copies and checks the whole document every time.
    const small = { ...good, images: [picture] };
    const values = fc.oneof(fc.jsonValue(), fc.double(), fc.constantFrom(undefined, 1e308, -1, 2 ** 53, '__proto__'));
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...places), values, (place, value) => {
        const document = structuredClone(small) as unknown as Loose;
        const parent = place.slice(0, -1).reduce<Loose>((at, key) => at[key] as Loose, document);
        parent[place.at(-1)!] = value;
        try {
          readDocument(document);
        } catch (error) {
          assert.ok(error instanceof InvalidDocument, String(error));
          refused++;
        }
      }),
      { numRuns: 200 },
    );
    assert.ok(refused > 60, `only ${refused} of 200 spoiled documents were refused`);
  });
});
