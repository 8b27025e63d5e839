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
  const field = fieldFrom(map.rows, map.cols, values);
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

/** Along one axis: for each pixel the two cells that it lies between, and how far it is from the first to the second. */
function positions(pixels: number, cells: number, sampling: 'smooth' | 'cells') {
  const low = new Uint16Array(pixels);
  const high = new Uint16Array(pixels);
  const share = new Float32Array(pixels);
  for (let at = 0; at < pixels; at++) {
    const exact = ((at + 0.5) / pixels) * cells;
    const position = Math.min(Math.max(sampling === 'cells' ? Math.floor(exact) : exact - 0.5, 0), cells - 1);
    low[at] = Math.floor(position);
    high[at] = Math.min(low[at]! + 1, cells - 1);
    share[at] = position - low[at]!;
  }
  return { low, high, share };
}

/**
 * The field at width × height pixels, on the scale: row-major, 0 … 1.
 * @param sampling 'smooth' between cell centres, or 'cells' as they were computed
 */
export function resample(
  { rows, cols, values }: Field,
  [low, high]: Scale,
  width: number,
  height: number,
  sampling: 'smooth' | 'cells' = 'smooth',
): Float32Array<ArrayBuffer> {
  const pixels = new Float32Array(width * height);
  if (high <= low) return pixels;
  const across = positions(width, cols, sampling);
  const down = positions(height, rows, sampling);
  const line = new Float32Array(cols);
  for (let y = 0; y < height; y++) {
    const [upper, lower, fy] = [down.low[y]! * cols, down.high[y]! * cols, down.share[y]!];
    for (let col = 0; col < cols; col++) {
      const value = values[upper + col]! * (1 - fy) + values[lower + col]! * fy;
      line[col] = Math.min(Math.max((value - low) / (high - low), 0), 1);
    }
    for (let x = 0; x < width; x++) {
      const fx = across.share[x]!;
      pixels[y * width + x] = line[across.low[x]!]! * (1 - fx) + line[across.high[x]!]! * fx;
    }
  }
  return pixels;
}

/** The mean of fields, on the first one's grid. @param fields at least one */
export function meanField(fields: readonly Field[]): Field {
  const [first] = fields;
  if (!first) throw new RangeError('the mean of no fields');
  if (fields.length === 1) return first;
  const { rows, cols } = first;
  const values = new Float32Array(rows * cols);
  for (const field of fields) {
    const same = field.rows === rows && field.cols === cols;
    for (let at = 0; at < values.length; at++) {
      const place = { u: ((at % cols) + 0.5) / cols, v: (Math.floor(at / cols) + 0.5) / rows };
      values[at]! += (same ? field.values[at]! : valueAt(field, place)) / fields.length;
    }
  }
  return fieldFrom(rows, cols, values);
}

/** A field with its range. */
export function fieldFrom(rows: number, cols: number, values: Float32Array): Field {
  const [min, max] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  return { rows, cols, values, min, max };
}

const orders = new WeakMap<Field, Uint32Array>();

/** The cells, hottest first; equal ones in reading order. This is the order of the deletion and insertion curves. */
export function removalOrder(field: Field): Uint32Array {
  const known = orders.get(field);
  if (known) return known;
  const { values } = field;
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
  orders.set(field, order);
  return order;
}

/** How many cells are hotter than a cell, plus one: cells of one value share the best rank. */
export function rankOf(field: Field, cell: Pick<Cell, 'row' | 'col'>): number {
  const value = field.values[cell.row * field.cols + cell.col]!;
  const order = removalOrder(field);
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (field.values[order[middle]!]! > value) low = middle + 1;
    else high = middle;
  }
  return low + 1;
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
  return fields.reduce<Scale>(
    ([low, high], { min, max }) => [Math.min(low, min), Math.max(high, max)],
    [Infinity, -Infinity],
  );
}

/** A scale for one map by itself. */
export function ownScale({ min, max }: Field): Scale {
  return [min, max];
}
