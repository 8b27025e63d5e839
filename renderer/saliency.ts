/** A stored map as numbers, and reading it between its cells. */
import type { Explanation, LensDocument, SaliencyMap } from '../kernel/document.ts';
import { bytesOf } from './read-document.ts';

/** Values on a rows × cols grid, row-major from the top left. */
export interface Field {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float32Array;
  readonly min: number;
  readonly max: number;
}

/** The range of values that the colour map spans. */
export type Scale = readonly [low: number, high: number];

/** A place on the picture, both 0 … 1, from the top left. */
export interface Place {
  readonly u: number;
  readonly v: number;
}

const decoded = new WeakMap<SaliencyMap, Field>();

/** The map's values, `offset + scale · byte`. */
export function fieldOf(map: SaliencyMap): Field {
  const known = decoded.get(map);
  if (known) return known;
  const values = Float32Array.from(bytesOf(map.data), (byte) => map.offset + map.scale * byte);
  const field = {
    rows: map.rows,
    cols: map.cols,
    values,
    min: values.reduce((a, b) => Math.min(a, b)),
    max: values.reduce((a, b) => Math.max(a, b)),
  };
  decoded.set(map, field);
  return field;
}

/** Bilinear between cell centres, level beyond the outermost ones. */
export function valueAt({ rows, cols, values }: Field, { u, v }: Place): number {
  const x = Math.min(Math.max(u * cols - 0.5, 0), cols - 1);
  const y = Math.min(Math.max(v * rows - 0.5, 0), rows - 1);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, bottom] = [Math.min(left + 1, cols - 1), Math.min(top + 1, rows - 1)];
  const [fx, fy] = [x - left, y - top];
  const upper = values[top * cols + left]! * (1 - fx) + values[top * cols + right]! * fx;
  const lower = values[bottom * cols + left]! * (1 - fx) + values[bottom * cols + right]! * fx;
  return upper * (1 - fy) + lower * fy;
}

/** Where a value lies on a scale, 0 … 1. A map that is the same everywhere has nothing that stands out: 0. */
export function onScale(value: number, [low, high]: Scale): number {
  return high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0;
}

/** The field at width × height pixels, on the scale: row-major, 0 … 1. */
export function resample(field: Field, scale: Scale, width: number, height: number): Float32Array<ArrayBuffer> {
  const pixels = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = valueAt(field, { u: (x + 0.5) / width, v: (y + 0.5) / height });
      pixels[y * width + x] = onScale(value, scale);
    }
  }
  return pixels;
}

/** The cell that holds a place, and its centre. */
export function cellAt({ rows, cols }: Pick<Field, 'rows' | 'cols'>, { u, v }: Place): Cell {
  const row = Math.min(Math.max(Math.floor(v * rows), 0), rows - 1);
  const col = Math.min(Math.max(Math.floor(u * cols), 0), cols - 1);
  return { row, col, u: (col + 0.5) / cols, v: (row + 0.5) / rows };
}

export interface Cell extends Place {
  readonly row: number;
  readonly col: number;
}

/** What is shown when no token is looked at: the joint map, or the first there is. */
export function mainMap({ maps }: Explanation): SaliencyMap | undefined {
  return maps.find(({ role }) => role === 'joint') ?? maps[0];
}

/** The map of one token. A map of several tokens, such as a word's, belongs to each of them. */
export function tokenMap({ maps }: Explanation, token: number): SaliencyMap | undefined {
  return maps.find(({ role, tokens }) => role === 'token' && tokens.includes(token));
}

/** One scale for every map of the document. */
export function sharedScale({ explanations }: LensDocument): Scale {
  const fields = explanations.flatMap(({ maps }) => maps.map(fieldOf));
  return [Math.min(...fields.map(({ min }) => min)), Math.max(...fields.map(({ max }) => max))];
}

/** A scale for one map by itself. */
export function ownScale({ min, max }: Field): Scale {
  return [min, max];
}
