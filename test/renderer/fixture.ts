/** Documents as the kernel would write them, over a drawn picture, with maps whose hot places are known. */
import { createCanvas } from 'canvas';
import sharp from 'sharp';
import type {
  Agreement,
  AnswerToken,
  Curve,
  DocumentImage,
  Explanation,
  LensDocument,
  Provenance,
  SaliencyMap,
  SelectionReason,
} from '../../kernel/document.ts';

const SIDE = 480;
const GRID = 32;

/** Where things stand in the picture, 0 … 1. */
export const PLACES = {
  dog: { u: 0.7, v: 0.72, radius: 0.12 },
  cat: { u: 0.3, v: 0.74, radius: 0.1 },
  house: { u: 0.62, v: 0.36, radius: 0.18 },
  sun: { u: 0.16, v: 0.16, radius: 0.1 },
} as const;

type Thing = keyof typeof PLACES;

/** A street with a house, a sun, a cat and a dog, and noise like a photograph's. */
export async function drawStreet(side = SIDE, noise = 10): Promise<DocumentImage> {
  const canvas = createCanvas(side, side);
  const context = canvas.getContext('2d');
  const px = (share: number): number => share * side;
  const disc = (u: number, v: number, radius: number, colour: string): void => {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(px(u), px(v), px(radius), 0, 2 * Math.PI);
    context.fill();
  };
  const sky = context.createLinearGradient(0, 0, 0, px(0.6));
  sky.addColorStop(0, '#78b4e6');
  sky.addColorStop(1, '#dcecf5');
  context.fillStyle = sky;
  context.fillRect(0, 0, side, side);
  const grass = context.createLinearGradient(0, px(0.55), 0, side);
  grass.addColorStop(0, '#8db56a');
  grass.addColorStop(1, '#5d8646');
  context.fillStyle = grass;
  context.fillRect(0, px(0.55), side, px(0.45));
  disc(0.16, 0.16, 0.08, '#ffd34d');
  context.fillStyle = '#d9b48f';
  context.fillRect(px(0.47), px(0.32), px(0.3), px(0.27));
  context.fillStyle = '#9c4a3c';
  context.beginPath();
  context.moveTo(px(0.43), px(0.33));
  context.lineTo(px(0.62), px(0.16));
  context.lineTo(px(0.81), px(0.33));
  context.fill();
  context.fillStyle = '#6b4a35';
  context.fillRect(px(0.58), px(0.45), px(0.08), px(0.14));
  context.fillStyle = '#bfe0ee';
  context.fillRect(px(0.5), px(0.38), px(0.06), px(0.06));
  context.fillRect(px(0.69), px(0.38), px(0.06), px(0.06));
  for (const [thing, fur, ear] of [
    ['dog', '#8a5a33', '#5e3b20'],
    ['cat', '#5c5f66', '#3d4046'],
  ] as const) {
    const { u, v, radius } = PLACES[thing];
    disc(u, v + radius * 0.2, radius * 0.75, fur);
    disc(u, v - radius * 0.55, radius * 0.5, fur);
    disc(u - radius * 0.38, v - radius * 0.95, radius * 0.2, ear);
    disc(u + radius * 0.38, v - radius * 0.95, radius * 0.2, ear);
    disc(u - radius * 0.17, v - radius * 0.6, radius * 0.08, '#fff');
    disc(u + radius * 0.17, v - radius * 0.6, radius * 0.08, '#fff');
    disc(u, v - radius * 0.38, radius * 0.1, '#1d1612');
  }
  const random = generator(7);
  const pixels = context.getImageData(0, 0, side, side);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const shift = (random() - 0.5) * 2 * noise;
    for (let channel = 0; channel < 3; channel++) pixels.data[at + channel]! += shift;
  }
  const encoded = await sharp(Buffer.from(pixels.data.buffer), { raw: { width: side, height: side, channels: 4 } })
    .removeAlpha()
    .webp({ quality: 80 })
    .toBuffer();
  return {
    mime: 'image/webp',
    data: encoded.toString('base64'),
    width: side,
    height: side,
    sourceWidth: 2 * side,
    sourceHeight: 2 * side,
    name: 'street.png',
  };
}

/** Numbers 0 … 1 from a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A map with a hill on each thing, peak 0 … 1, over a little unrest. */
export function hillMap(
  label: string,
  role: SaliencyMap['role'],
  tokens: readonly number[],
  things: readonly (readonly [thing: Thing, peak: number])[],
  { method = 'igos++', rows = GRID, cols = GRID, seed = 1 } = {},
): SaliencyMap {
  const random = generator(seed);
  const bytes = new Uint8Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const value = things.reduce((sum, [thing, peak]) => {
        const { u, v, radius } = PLACES[thing];
        const distance = ((col + 0.5) / cols - u) ** 2 + ((row + 0.5) / rows - v) ** 2;
        return sum + peak * Math.exp(-distance / (2 * (radius * 0.6) ** 2));
      }, 0.05 * random());
      bytes[row * cols + col] = Math.round(255 * Math.min(value, 1));
    }
  }
  return {
    label,
    role,
    tokens,
    method,
    rows,
    cols,
    data: Buffer.from(bytes).toString('base64'),
    offset: 0,
    scale: 1 / 255,
  };
}

interface Word {
  readonly text: string;
  readonly llr: number;
  readonly reason: SelectionReason;
  readonly thing?: Thing;
}

/** Tokens as a tokenizer cuts them: 'terr' + 'ier' is one word. */
const WORDS: readonly Word[] = [
  { text: 'A', llr: 0.12, reason: 'stop word' },
  { text: ' brown', llr: 2.31, reason: 'visual', thing: 'dog' },
  { text: ' terr', llr: 4.42, reason: 'visual', thing: 'dog' },
  { text: 'ier', llr: 0.41, reason: 'below threshold' },
  { text: ' and', llr: 0.35, reason: 'stop word' },
  { text: ' a', llr: 0.08, reason: 'stop word' },
  { text: ' grey', llr: 1.76, reason: 'visual', thing: 'cat' },
  { text: ' cat', llr: 5.87, reason: 'visual', thing: 'cat' },
  { text: ' sit', llr: 0.62, reason: 'below threshold' },
  { text: ' in', llr: -0.22, reason: 'stop word' },
  { text: ' front', llr: 1.12, reason: 'visual', thing: 'house' },
  { text: ' of', llr: 0.01, reason: 'stop word' },
  { text: ' a', llr: -0.4, reason: 'stop word' },
  { text: ' house', llr: 3.2, reason: 'visual', thing: 'house' },
  { text: ',', llr: -0.9, reason: 'punctuation' },
  { text: ' under', llr: 0.93, reason: 'below threshold' },
  { text: ' the', llr: 0.2, reason: 'stop word' },
  { text: ' sun', llr: 2.78, reason: 'visual', thing: 'sun' },
  { text: '.', llr: 0.02, reason: 'punctuation' },
];

function tokensOf(words: readonly Word[]): readonly AnswerToken[] {
  let start = 0;
  return words.map(({ text, llr, reason }) => {
    const token = {
      text,
      start,
      end: start + text.length,
      logp: -0.05,
      logpBaseline: -0.05 - llr,
      llr,
      selected: reason === 'visual',
      reason,
    };
    start = token.end;
    return token;
  });
}

const STEPS = Array.from({ length: 21 }, (_, step) => step / 20);

function curve(kind: Curve['kind'], steepness: number): Curve {
  const y = STEPS.map((x) => (kind === 'deletion' ? Math.exp(-steepness * x) : 1 - Math.exp(-steepness * x)));
  return { kind, baseline: 'blur', x: STEPS, y, score: y.reduce((a, b) => a + b) / y.length };
}

export const PROVENANCE: Provenance = {
  versions: { 'lvlm-lens': '0.1.0', 'onnxruntime-node': '1.30.0', node: 'v20.19.0' },
  files: {
    'vision_encoder.onnx': '5b1f0e2c6f4d4b0d9d2c7b8e0a1f3c5d7e9b1a3c5d7f9b1d3f5a7c9e1b3d5f70',
    'decoder_model_merged.onnx': 'a01f0e2c6f4d4b0d9d2c7b8e0a1f3c5d7e9b1a3c5d7f9b1d3f5a7c9e1b3d5f70',
  },
  imageHash: '9d2c7b8e0a1f3c5d7e9b1a3c5d7f9b1d3f5a7c9e1b3d5f705b1f0e2c6f4d4b0d',
  method: 'igos++',
  parameters: { preset: 'paper', iterations: 15, mask: [32, 32], baseline: 'blur', learningRate: 10 },
  seed: 1,
  evaluations: { forward: 212, gradient: 200 },
  milliseconds: { generate: 180, select: 95, attribute: 4210, curves: 640 },
  created: '2026-01-15T10:00:00.000Z',
};

/** One explanation of the street: a joint map and a map for each selected token. */
export function explanation({ method = 'igos++', label = '', image = 0, words = WORDS, shift = 1 } = {}): Explanation {
  const tokens = tokensOf(words);
  const selected = words.flatMap(({ thing }, index) => (thing ? [{ thing, index }] : []));
  const question = 'What can you see in this picture?';
  const things = [...new Set(selected.map(({ thing }) => thing))];
  return {
    label: label || question,
    image,
    model: { id: 'pocket', type: 'llava' },
    question,
    answer: { text: words.map(({ text }) => text).join(''), source: 'generated', tokens, threshold: 1 },
    dependsOnImage: selected.length > 0,
    maps:
      selected.length === 0
        ? []
        : [
            hillMap(
              selected.map(({ index }) => words[index]!.text.trim()).join(', '),
              'joint',
              selected.map(({ index }) => index),
              things.map((thing, at) => [thing, shift * (0.95 - 0.15 * at)] as const),
              { method },
            ),
            ...selected.map(({ thing, index }) =>
              hillMap(words[index]!.text.trim(), 'token', [index], [[thing, 0.9 * shift]], { method, seed: index + 2 }),
            ),
          ],
    curves: selected.length === 0 ? [] : [curve('deletion', 9 * shift), curve('insertion', 6 * shift)],
    metrics:
      selected.length === 0
        ? []
        : [
            { name: 'deletion', value: curve('deletion', 9 * shift).score, better: 'lower' },
            { name: 'insertion', value: curve('insertion', 6 * shift).score, better: 'higher' },
            { name: 'energy inside', value: 0.71, interval: [0.64, 0.78], better: 'higher' },
          ],
    provenance: { ...PROVENANCE, method },
  };
}

/** The usual document. */
export async function explanationDocument(): Promise<LensDocument> {
  return { schemaVersion: 1, kind: 'explanation', images: [await drawStreet()], explanations: [explanation()] };
}

/** An answer that owes nothing to the image. */
/** Of a model with two encoders, of which `low` contributed three times as much. */
export async function encodersDocument(): Promise<LensDocument> {
  const lens = await explanationDocument();
  const [only] = lens.explanations;
  const map = only!.maps[1]!;
  const encoders = [
    { name: 'low', width: 96, height: 96, contribution: 6, drop: 4, dropTop: 2.5, map },
    { name: 'high', width: 192, height: 192, contribution: 2, drop: 1, dropTop: 0.25, map },
  ];
  return { ...lens, explanations: [{ ...only!, encoders }] };
}

export async function noDependenceDocument(): Promise<LensDocument> {
  const words: readonly Word[] = [
    { text: 'A', llr: 0.02, reason: 'stop word' },
    { text: ' banana', llr: 0.11, reason: 'below threshold' },
    { text: ' is', llr: -0.03, reason: 'stop word' },
    { text: ' yellow', llr: 0.27, reason: 'below threshold' },
    { text: '.', llr: 0, reason: 'punctuation' },
  ];
  const only = { ...explanation({ words }), question: 'What colour is a banana?', label: 'What colour is a banana?' };
  return { schemaVersion: 1, kind: 'explanation', images: [await drawStreet()], explanations: [only] };
}

/** Two methods on one answer. */
export async function comparisonDocument(): Promise<LensDocument> {
  const agreement: readonly Agreement[] = [
    { a: 0, b: 1, rankCorrelation: 0.81, iouTop20: 0.62 },
    { a: 0, b: 2, rankCorrelation: -0.07, iouTop20: 0.11 },
    { a: 1, b: 2, rankCorrelation: 0.002, iouTop20: 0.14 },
  ];
  return {
    schemaVersion: 1,
    kind: 'comparison',
    axis: 'methods',
    images: [await drawStreet()],
    explanations: [
      explanation({ method: 'igos++', label: 'igos++' }),
      explanation({ method: 'igos+', label: 'igos+', shift: 0.8 }),
      explanation({ method: 'grad-cam', label: 'grad-cam', shift: 0.4 }),
    ],
    agreement,
  };
}

/** Tokens and no maps. */
export async function selectionDocument(): Promise<LensDocument> {
  const only = { ...explanation(), maps: [], curves: [], metrics: [] };
  return { schemaVersion: 1, kind: 'selection', images: [await drawStreet()], explanations: [only] };
}

/** The hostile answer stays text. */
export async function hostileTextDocument(): Promise<LensDocument> {
  const words: readonly Word[] = [
    { text: '<img src=x onerror="window.owned=1">', llr: 3, reason: 'visual', thing: 'cat' },
    { text: ' </script><script>window.owned=1</script>', llr: 2, reason: 'visual', thing: 'dog' },
    { text: ' [x](javascript:alert(1)) | a\n| b `c`', llr: 1.5, reason: 'visual', thing: 'sun' },
  ];
  const only = { ...explanation({ words }), question: '<b onclick="window.owned=1">bold?</b> <!-- <script>' };
  return { schemaVersion: 1, kind: 'explanation', images: [await drawStreet()], explanations: [only] };
}

/** As large as documents are meant to get: 24 token maps over a picture of 1024 px. */
export async function largeDocument(): Promise<LensDocument> {
  const things: readonly Thing[] = ['dog', 'cat', 'house', 'sun'];
  const words = Array.from({ length: 24 }, (_, at): Word => ({
    text: `${at === 0 ? '' : ' '}word${at}`,
    llr: 6 - at / 5,
    reason: 'visual',
    thing: things[at % things.length]!,
  }));
  return {
    schemaVersion: 1,
    kind: 'explanation',
    images: [await drawStreet(1024, 6)],
    explanations: [explanation({ words })],
  };
}

/** An answer of many tokens, each with a map of its own, over a picture of the usual size. */
export async function crowdedDocument(count = 200): Promise<LensDocument> {
  const things: readonly Thing[] = ['dog', 'cat', 'house', 'sun'];
  const names = ['a', 'dog', 'and', 'grey', 'cats', 'behind', 'the', 'house', 'shining', 'sun'];
  const words = Array.from({ length: count }, (_, at): Word => {
    const text = `${at === 0 ? '' : ' '}${names[(at * 7) % names.length]}${at % 12 === 11 ? '.' : ''}`;
    return { text, llr: 1.1 + ((at * 13) % 50) / 10, reason: 'visual', thing: things[at % things.length]! };
  });
  return {
    schemaVersion: 1,
    kind: 'explanation',
    images: [await drawStreet()],
    explanations: [explanation({ words })],
  };
}
