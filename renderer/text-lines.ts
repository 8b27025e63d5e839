/**
 * Text broken into lines and put in the order in which it is read: from right to left where its script is, between any two
 * characters where its script has no blanks. Whole words are drawn as one, so that letters join as their script joins them;
 * marks (the tokens) are boxes beneath, wherever in a word they begin.
 */
import bidiFactory from 'bidi-js';

/** What measuring text needs of a canvas's context. */
export type Ruler = Pick<CanvasRenderingContext2D, 'font' | 'measureText' | 'restore' | 'save'>;

/** Characters [start, end) of the text, UTF-16 code units, with what is to be said of them. */
export interface Mark<T> {
  readonly start: number;
  readonly end: number;
  readonly mark: T;
}

/** Text that is drawn at one place: a word, or the part of one that runs in one direction. */
export interface Run {
  readonly text: string;
  /** Of its left edge, px. */
  readonly x: number;
  /** From 0. */
  readonly line: number;
  readonly width: number;
  readonly rightToLeft: boolean;
}

/** Where a mark lies on a line. */
export interface Box<T> {
  readonly mark: T;
  readonly x: number;
  readonly line: number;
  readonly width: number;
}

export interface TextLines<T> {
  readonly runs: readonly Run[];
  readonly boxes: readonly Box<T>[];
  readonly lines: readonly { readonly left: number; readonly right: number; readonly rightToLeft: boolean }[];
}

// Its types speak of a default export of a CommonJS module, which both Node and bundlers give as the import itself.
type Bidi = ReturnType<typeof bidiFactory.default>;
const makeBidi = bidiFactory as unknown as () => Bidi;

type Levels = ReturnType<Bidi['getEmbeddingLevels']>;

/** Letters of right-to-left scripts, and the signs that change a direction. */
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Samaritan}\p{Script=Mandaic}\p{Script=Adlam}\u200f\u202a-\u202e\u2066-\u2069]/u; // prettier-ignore

/** Scripts that write words with no blanks between them. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3001-\u303f\uff01-\uff5e]/u; // prettier-ignore

/** What may not begin a line, and what may not end one. */
const NOT_FIRST = /^[\p{Pe}\p{Pf}\p{Po}\p{M}\p{Lm}ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー]/u;
const NOT_LAST = /[\p{Ps}\p{Pi}]$/u;

const BLANK = /^\s+$/u;

let bidi: Bidi | undefined;
const words = new Intl.Segmenter(undefined, { granularity: 'word' });
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Characters [start, end) that stay on one line, and their width. */
interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly width: number;
  readonly kind: 'word' | 'blank' | 'newline';
}

/** Whether a line may break between two pieces that have no blank between them. */
function mayBreak(before: string, after: string): boolean {
  return (UNSPACED.test(before) || UNSPACED.test(after)) && !NOT_FIRST.test(after) && !NOT_LAST.test(before);
}

/** Where a line may break, and where it must. */
function* chunksOf(ruler: Ruler, text: string): Generator<Chunk> {
  const measured = (start: number, end: number, kind: Chunk['kind']): Chunk => ({
    start,
    end,
    kind,
    width: kind === 'newline' ? 0 : ruler.measureText(text.slice(start, end)).width,
  });
  for (const part of text.matchAll(/\r\n|[\n\r\u2028\u2029]|[^\S\n\r\u2028\u2029]+|\S+/gu)) {
    const [from, till] = [part.index, part.index + part[0].length];
    if (BLANK.test(part[0])) {
      yield measured(from, till, /[\n\r\u2028\u2029]/u.test(part[0]) ? 'newline' : 'blank');
      continue;
    }
    let start = from;
    if (UNSPACED.test(part[0])) {
      const pieces = [...words.segment(part[0])];
      for (const [at, { index, segment }] of pieces.entries()) {
        if (at === 0 || !mayBreak(pieces[at - 1]!.segment, segment)) continue;
        yield measured(start, from + index, 'word');
        start = from + index;
      }
    }
    yield measured(start, till, 'word');
  }
}

/** A word that is wider than a line, cut into pieces that are not. */
function shards(ruler: Ruler, text: string, { start, end }: Chunk, width: number): readonly Chunk[] {
  const found: Chunk[] = [];
  let [from, wide] = [start, 0];
  for (const { index, segment } of graphemes.segment(text.slice(start, end))) {
    const till = start + index + segment.length;
    const wider = ruler.measureText(text.slice(from, till)).width;
    if (wider > width && start + index > from) {
      found.push({ start: from, end: start + index, width: wide, kind: 'word' });
      from = start + index;
      wide = ruler.measureText(segment).width;
    } else wide = wider;
  }
  return [...found, { start: from, end, width: wide, kind: 'word' }];
}

/** The characters of each line, without the blanks at its ends. */
function brokenLines(ruler: Ruler, text: string, width: number, most: number): readonly (readonly [number, number])[] {
  const lines: [number, number][] = [];
  let current: [number, number] | undefined;
  let [x, blank] = [0, 0];
  const end = (at: number): void => {
    lines.push(current ?? [at, at]);
    current = undefined;
    [x, blank] = [0, 0];
  };
  for (const chunk of chunksOf(ruler, text)) {
    if (lines.length > most) break;
    if (chunk.kind === 'newline') end(chunk.start);
    else if (chunk.kind === 'blank') blank += current ? chunk.width : 0;
    else {
      for (const shard of chunk.width > width ? shards(ruler, text, chunk, width) : [chunk]) {
        if (current && x + blank + shard.width > width) end(shard.start);
        current = [current?.[0] ?? shard.start, shard.end];
        x += blank + shard.width;
        blank = 0;
      }
    }
  }
  if (current) lines.push(current);
  return lines;
}

/** Pieces of a line from left to right; within each the characters run in one direction. */
function visualPieces(
  text: string,
  [start, end]: readonly [number, number],
  levels: Levels | undefined,
): readonly { start: number; end: number; rightToLeft: boolean }[] {
  if (end <= start) return [];
  // It gives the places of all characters, those of other lines in their logical order.
  const order = levels && bidi?.getReorderedIndices(text, levels, start, end - 1).slice(start, end);
  const level = (at: number): number => levels?.levels[at] ?? 0;
  const pieces: { start: number; end: number; rightToLeft: boolean }[] = [];
  for (let place = 0; place < end - start; place++) {
    const at = order?.[place] ?? start + place;
    const rightToLeft = level(at) % 2 === 1;
    const last = pieces.at(-1);
    const adjacent = last && (rightToLeft ? at === last.start - 1 : at === last.end);
    const same = last && last.rightToLeft === rightToLeft && level(last.start) === level(at);
    // A blank stands alone: what lies between blanks is placed by itself.
    const blank = (index: number): boolean => /\s/u.test(text[index]!);
    if (last && adjacent && same && blank(last.start) === blank(at)) {
      if (rightToLeft) last.start = at;
      else last.end = at + 1;
    } else pieces.push({ start: at, end: at + 1, rightToLeft });
  }
  return pieces;
}

/**
 * Breaks text into lines no wider than `width` px.
 * @param font CSS font
 * @param most lines beyond this and one more are not looked for
 */
export function textLines<T = never>(
  ruler: Ruler,
  text: string,
  {
    width,
    font,
    marks = [],
    most = Infinity,
  }: { width: number; font: string; marks?: readonly Mark<T>[]; most?: number },
): TextLines<T> {
  ruler.save();
  ruler.font = font;
  const levels = RIGHT_TO_LEFT.test(text) ? (bidi ??= makeBidi()).getEmbeddingLevels(text) : undefined;
  const runs: Run[] = [];
  const boxes: Box<T>[] = [];
  const lines = brokenLines(ruler, text, width, most).map(([start, end], line) => {
    const paragraph = levels?.paragraphs.find((one) => one.start <= start && start <= one.end);
    const rightToLeft = (paragraph?.level ?? 0) % 2 === 1;
    const pieces = visualPieces(text, [start, end], levels).map((piece) => ({
      ...piece,
      width: ruler.measureText(text.slice(piece.start, piece.end)).width,
    }));
    const total = pieces.reduce((sum, piece) => sum + piece.width, 0);
    const left = rightToLeft ? width - total : 0;
    let x = left;
    for (const piece of pieces) {
      const words = text.slice(piece.start, piece.end);
      if (!BLANK.test(words)) {
        runs.push({ text: words, x, line, width: piece.width, rightToLeft: piece.rightToLeft });
        for (const { start: from, end: till, mark } of marks) {
          if (from >= piece.end || till <= piece.start) continue;
          const upTo = (at: number): number =>
            at <= piece.start
              ? 0
              : at >= piece.end
                ? piece.width
                : ruler.measureText(text.slice(piece.start, at)).width;
          const [near, far] = [upTo(from), upTo(till)];
          const at = piece.rightToLeft ? x + piece.width - far : x + near;
          boxes.push({ mark, x: at, line, width: far - near });
        }
      }
      x += piece.width;
    }
    return { left, right: left + total, rightToLeft };
  });
  ruler.restore();
  return { runs, boxes, lines };
}
