/**
 * Reads a document that anybody may have written. A notebook is a file from a stranger: everything in it is checked for
 * shape, size and finiteness before any of it is drawn, and a picture's own header must agree with what the document says.
 */
import { disableTypes, imageSize, types } from 'image-size';
import * as z from 'zod/mini';
import { SCHEMA_VERSION, type LensDocument } from '../kernel/document.ts';

// Zod would otherwise try `new Function`, which a strict Content-Security-Policy reports as a violation.
z.config({ jitless: true });

// Only these may be in a document, and to look for others takes as long as all the rest of the reading.
disableTypes(types.filter((type) => !['jpg', 'png', 'webp'].includes(type)));

/** The most that a document may hold. Generous beside what the kernel writes; small beside what would hang a notebook. */
export const LIMITS = {
  images: 64,
  imageBytes: 8_000_000,
  imageSide: 4096,
  explanations: 64,
  mapsPerExplanation: 1024,
  mapSide: 256,
  tokens: 4096,
  characters: 200_000,
  shortText: 2000,
  curves: 32,
  curvePoints: 4096,
  metrics: 256,
  encoders: 16,
  references: 256,
} as const;

/** A document that is not one of ours, or is broken. The message names the place and what was expected there. */
export class InvalidDocument extends Error {
  override readonly name = 'InvalidDocument';
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Bytes that a base64 string stands for. */
function byteLength(base64: string): number {
  return (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);
}

/** The bytes of a base64 string, in any browser and in Node. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

const real = z.number().check(z.refine((value) => Math.abs(value) <= 1e12, 'expected a finite number'));
const index = z.int().check(z.minimum(0));
const share = z.number().check(z.minimum(0), z.maximum(1));
const shortText = z.string().check(z.maxLength(LIMITS.shortText));
const longText = z.string().check(z.maxLength(LIMITS.characters));
const base64 = (bytes: number) =>
  z.string().check(
    z.maxLength(Math.ceil(bytes / 3) * 4),
    z.refine((text) => text.length % 4 === 0 && BASE64.test(text), 'expected base64'),
  );
const side = (most: number) => z.int().check(z.minimum(1), z.maximum(most));
const list = <T extends z.core.SomeType>(item: T, most: number) => z.array(item).check(z.maxLength(most));
const dictionary = <T extends z.core.SomeType>(value: T) =>
  z
    .record(shortText, value)
    .check(z.refine((entries) => Object.keys(entries).length <= LIMITS.metrics, 'too many entries'));

const image = z
  .object({
    mime: z.enum(['image/webp', 'image/jpeg', 'image/png']),
    data: base64(LIMITS.imageBytes),
    width: side(LIMITS.imageSide),
    height: side(LIMITS.imageSide),
    sourceWidth: side(1e6),
    sourceHeight: side(1e6),
    name: z.optional(shortText),
  })
  .check(
    z.refine(({ mime, data, width, height }) => {
      try {
        const header = imageSize(bytesOf(data));
        const type = header.type === 'jpg' ? 'jpeg' : header.type;
        return mime === `image/${type}` && header.width === width && header.height === height;
      } catch {
        return false;
      }
    }, 'the encoded picture is not of the stated type and size'),
  );

const token = z
  .object({
    text: shortText,
    start: index,
    end: index,
    logp: real,
    logpBaseline: real,
    llr: real,
    selected: z.boolean(),
    reason: z.enum(['visual', 'below threshold', 'stop word', 'punctuation', 'chosen', 'not chosen']),
  })
  .check(z.refine(({ start, end }) => start <= end, 'a token ends before it starts'));

const answer = z
  .object({
    text: longText,
    source: z.enum(['generated', 'given']),
    tokens: list(token, LIMITS.tokens),
    threshold: real,
  })
  .check(
    z.refine(({ text, tokens }) => tokens.every(({ end }) => end <= text.length), 'a token lies beyond the answer'),
  );

const map = z
  .object({
    label: shortText,
    role: z.enum(['joint', 'token']),
    tokens: list(index, LIMITS.tokens),
    method: shortText,
    rows: side(LIMITS.mapSide),
    cols: side(LIMITS.mapSide),
    data: base64(LIMITS.mapSide ** 2),
    offset: real,
    scale: real,
    confirmed: z.optional(z.boolean()),
  })
  .check(z.refine(({ data, rows, cols }) => byteLength(data) === rows * cols, 'expected rows · cols bytes of data'));

const curve = z
  .object({
    kind: z.enum(['deletion', 'insertion']),
    baseline: shortText,
    x: list(share, LIMITS.curvePoints),
    y: list(real, LIMITS.curvePoints),
    score: real,
  })
  .check(z.refine(({ x, y }) => x.length === y.length, 'x and y have different lengths'));

const metric = z.object({
  name: shortText,
  value: real,
  interval: z.optional(z.tuple([real, real])),
  better: z.optional(z.enum(['higher', 'lower'])),
});

const provenance = z.object({
  versions: dictionary(shortText),
  files: dictionary(shortText),
  imageHash: shortText,
  method: shortText,
  parameters: dictionary(z.unknown()),
  seed: real,
  evaluations: z.object({ forward: real, gradient: real }),
  milliseconds: dictionary(real),
  created: shortText,
});

const encoder = z.object({
  name: shortText,
  height: side(1e6),
  width: side(1e6),
  contribution: real,
  drop: real,
  dropTop: real,
  map: z.optional(map),
});

const correctness = z.object({
  correct: z.boolean(),
  references: list(longText, LIMITS.references),
  choices: z.optional(list(longText, LIMITS.references)),
});

const explanation = z
  .object({
    label: longText,
    image: index,
    model: z.object({ id: shortText, type: shortText, notice: z.optional(longText) }),
    question: longText,
    answer,
    dependsOnImage: z.boolean(),
    maps: list(map, LIMITS.mapsPerExplanation),
    curves: list(curve, LIMITS.curves),
    metrics: list(metric, LIMITS.metrics),
    focus: z.optional(share),
    encoders: z.optional(list(encoder, LIMITS.encoders)),
    correctness: z.optional(correctness),
    provenance,
  })
  .check(
    z.refine(
      ({ maps, encoders = [], answer: { tokens } }) =>
        [...maps, ...encoders.flatMap(({ map: own }) => own ?? [])].every((one) =>
          one.tokens.every((at) => at < tokens.length),
        ),
      'a map speaks of a token that the answer does not have',
    ),
  );

const agreement = z.object({
  a: index,
  b: index,
  rankCorrelation: z.number().check(z.minimum(-1), z.maximum(1)),
  iouTop20: share,
  earthMovers: z.optional(share),
});

const schema = z
  .object({
    schemaVersion: z.literal(SCHEMA_VERSION),
    kind: z.enum(['explanation', 'selection', 'comparison']),
    images: list(image, LIMITS.images),
    explanations: list(explanation, LIMITS.explanations),
    axis: z.optional(z.enum(['models', 'methods', 'images', 'questions', 'answers'])),
    agreement: z.optional(list(agreement, LIMITS.explanations ** 2)),
  })
  .check(
    z.refine(
      ({ explanations, images }) => explanations.every((one) => one.image < images.length),
      'an explanation speaks of an image that the document does not have',
    ),
    z.refine(
      ({ kind, explanations }) => kind === 'comparison' || explanations.length === 1,
      'expected exactly one explanation',
    ),
    z.refine(
      ({ agreement, explanations }) =>
        (agreement ?? []).every(({ a, b }) => a < explanations.length && b < explanations.length),
      'an agreement speaks of an explanation that the document does not have',
    ),
  );

/**
 * Checks that a value is an explanation document of version 1 that is safe to draw.
 * Fields that this version does not know are left out, so that later additions do no harm.
 * @throws {InvalidDocument} naming the first thing that is wrong
 */
export function readDocument(value: unknown): LensDocument {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data as LensDocument;
  const issue = result.error.issues[0];
  const place = issue?.path.map(String).join('.') ?? '';
  throw new InvalidDocument(
    `not an explanation document${place ? `, at ${place}` : ''}: ${issue?.message ?? 'unknown'}`,
  );
}
