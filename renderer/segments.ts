/** The answer cut into tokens, words or sentences, each with its likelihood ratio and its map. */
import type { Explanation } from '../kernel/document.ts';
import { fieldOf, meanField, tokenMap, type Field } from './saliency.ts';

export const SEGMENTATIONS = ['tokens', 'words', 'sentences'] as const;
export type Segmentation = (typeof SEGMENTATIONS)[number];

export interface Segment {
  /** Indexes into the answer's tokens, consecutive. */
  readonly tokens: readonly number[];
  /** Character span [start, end) in the answer's text, blanks at its ends included. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Sums over its tokens: by the chain rule, the logarithm of the whole segment's probability. */
  readonly logp: number;
  readonly logpBaseline: number;
  readonly llr: number;
}

const cached = new WeakMap<Explanation, Map<Segmentation, readonly Segment[]>>();

/** The answer's segments in reading order. Every token is in exactly one. */
export function segmentsOf(explanation: Explanation, by: Segmentation): readonly Segment[] {
  const known = cached.get(explanation) ?? new Map<Segmentation, readonly Segment[]>();
  cached.set(explanation, known);
  const found = known.get(by) ?? groups(explanation, by).map((tokens) => segmentOf(explanation, tokens));
  known.set(by, found);
  return found;
}

/** The segment that holds a token. */
export function segmentWith(explanation: Explanation, by: Segmentation, token: number): Segment | undefined {
  return by === 'tokens'
    ? segmentsOf(explanation, by)[token]
    : segmentsOf(explanation, by).find(({ tokens }) => tokens.includes(token));
}

function segmentOf({ answer }: Explanation, tokens: readonly number[]): Segment {
  const parts = tokens.map((token) => answer.tokens[token]!);
  const [start, end] = [parts[0]!.start, Math.max(...parts.map((part) => part.end))];
  const sum = (of: 'logp' | 'logpBaseline' | 'llr'): number => parts.reduce((total, part) => total + part[of], 0);
  return {
    tokens,
    start,
    end,
    // What a token says of itself, where the answer's text does not show it.
    text: tokens.length === 1 ? parts[0]!.text : answer.text.slice(start, end),
    logp: sum('logp'),
    logpBaseline: sum('logpBaseline'),
    llr: sum('llr'),
  };
}

/** Consecutive tokens that share a word or a sentence (Unicode's text segmentation). A token that spans two joins them. */
function groups({ answer: { text, tokens } }: Explanation, by: Segmentation): readonly (readonly number[])[] {
  if (by === 'tokens') return tokens.map((_, token) => [token]);
  const granularity = by === 'words' ? 'word' : 'sentence';
  const unitAt = new Uint32Array(text.length + 1);
  let units = 0;
  for (const { segment, index } of new Intl.Segmenter('en', { granularity }).segment(text)) {
    unitAt.fill(units++, index, index + segment.length);
  }
  unitAt[text.length] = Math.max(units - 1, 0);
  const found: number[][] = [];
  let lastUnit = -1;
  tokens.forEach(({ start, end }, token) => {
    const piece = text.slice(start, end);
    const from = piece.trim() === '' ? start : start + piece.length - piece.trimStart().length;
    const unit = unitAt[from]!;
    if (found.length > 0 && unit === lastUnit) found.at(-1)!.push(token);
    else found.push([token]);
    lastUnit = unitAt[Math.max(end - 1, from)]!;
  });
  return found;
}

const fields = new WeakMap<Explanation, Map<string, Field | undefined>>();

/** The mean of the maps of some tokens, of those that have one; undefined where none has. Equal tokens give the same object. */
export function tokensField(explanation: Explanation, tokens: readonly number[]): Field | undefined {
  const known = fields.get(explanation) ?? new Map<string, Field | undefined>();
  fields.set(explanation, known);
  const key = tokens.join();
  if (known.has(key)) return known.get(key);
  const own = tokens.flatMap((token) => {
    const map = tokenMap(explanation, token);
    return map ? [fieldOf(map)] : [];
  });
  const field = own.length > 0 ? meanField(own) : undefined;
  known.set(key, field);
  return field;
}

/** How many of a segment's tokens have maps. */
export function mappedTokens(explanation: Explanation, tokens: readonly number[]): number {
  return tokens.filter((token) => tokenMap(explanation, token) !== undefined).length;
}
