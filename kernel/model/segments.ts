import { runsOf } from './sequence.ts';
import type { Prompt } from './sequence.ts';

/** A stretch of the sequence: text with its embeddings [length, width], or features of the picture. */
export type Segment =
  | { readonly kind: 'text'; readonly length: number; readonly width: number; readonly rows: Float32Array }
  | { readonly kind: 'image'; readonly length: number };

/**
 * Texts differ in length: score graphs are made for multiples of this many tokens. What is too much stands at the end, where a
 * causal decoder does not see it.
 */
const TEXT_STEP = 16;

/** Width of a sequence's embeddings. */
export function widthOf(segments: readonly Segment[]): number {
  const text = segments.find((segment) => segment.kind === 'text');
  if (text === undefined) throw new Error('a sequence without text has no embeddings');
  return text.width;
}

/** The stretches of a prompt and of the tokens after it, with the embeddings of the text. */
export async function segmentsOf(
  { ids: promptIds, imagePositions }: Prompt,
  after: readonly number[],
  embed: (ids: readonly number[]) => Promise<Float32Array>,
): Promise<Segment[]> {
  const ids = [...promptIds, ...after];
  const image = new Set(imagePositions);
  const text = ids.filter((_, i) => !image.has(i));
  const rows = await embed(text);
  const width = rows.length / text.length;
  let at = 0;
  return runsOf({ ids, imagePositions }).map(({ kind, length }) => {
    if (kind === 'image') return { kind, length };
    at += length;
    return { kind, length, width, rows: rows.subarray((at - length) * width, at * width) };
  });
}

/** The embeddings of a whole prompt, the picture's features in their places. */
export function spliced(segments: readonly Segment[], features: Float32Array): Float32Array {
  const width = widthOf(segments);
  const whole = new Float32Array(segments.reduce((sum, { length }) => sum + length, 0) * width);
  let at = 0;
  let row = 0;
  for (const segment of segments) {
    const size = segment.length * width;
    whole.set(segment.kind === 'text' ? segment.rows : features.subarray(row, row + size), at);
    if (segment.kind === 'image') row += size;
    at += size;
  }
  return whole;
}

/**
 * Fills the last stretch up to a multiple of TEXT_STEP, or as far as there is room: with its last row, since zeros may have no
 * norm to divide by.
 */
export function filledUp(segments: readonly Segment[], room: number): Segment[] {
  const last = segments.at(-1)!;
  if (last.kind === 'image') return [...segments];
  const { width, rows } = last;
  const length = Math.min(last.length + room, Math.ceil(last.length / TEXT_STEP) * TEXT_STEP);
  const filled = new Float32Array(length * width);
  filled.set(rows);
  const row = rows.subarray(rows.length - width);
  for (let at = rows.length; at < filled.length; at += width) filled.set(row, at);
  return [...segments.slice(0, -1), { kind: 'text', length, width, rows: filled }];
}
