import type { DType } from '../dtype.ts';
import { int } from '../graph.ts';
import type { FusedSite } from './site.ts';

/** What every kind of attention comes down to, after its own way of packing, rotating and caching. */
export interface Heads {
  /** [batch, heads, queries, head size] */
  readonly q: string;
  /** [batch, key heads, keys, head size]; each key head serves heads / key heads neighbouring heads. */
  readonly k: string;
  /** [batch, key heads, keys, value size] */
  readonly v: string;
  /** Factor of the products q·k. */
  readonly scale: number;
  /** c of c·tanh(scores/c); 0 for none. */
  readonly softcap?: number;
  /** Added to the scores: terms that broadcast to [batch, heads, queries, keys] and hold no gradient path or a full one. */
  readonly bias?: readonly string[];
  /** An additional key without a value: its score for each head, [heads], or 0 for all. */
  readonly sink?: string | 'zero';
}

/** The result and the stages on the way to it, each [batch, heads, queries, keys]. */
export interface AttentionResult {
  /** [batch, heads, queries, value size] */
  readonly output: string;
  readonly products: () => string;
  readonly capped: () => string;
  readonly biased: () => string;
  readonly weights: () => string;
}

/**
 * softmax(cap(scale·q·kᵀ) + bias)·v.
 *
 * Where several heads share keys, their queries are stacked as more rows of one product: keys and values are never repeated, and
 * the gradients of keys and values sum over the heads inside a product.
 */
export function attend(site: FusedSite, { q, k, v, scale, softcap = 0, bias = [], sink }: Heads): AttentionResult {
  const { b } = site;
  const [batch, heads, queries, size] = site.dims(q) as [number, number, number, number];
  const [, keyHeads, keys] = site.dims(k) as [number, number, number];
  const group = heads / keyHeads;
  if (!Number.isInteger(group)) {
    throw site.error(`${String(heads)} heads cannot share ${String(keyHeads)} key heads`, 'Export the model again');
  }
  const rows = group * queries;
  const stacked = b.reshape(q, [batch, keyHeads, rows, size]);
  const products = b.op('MatMul', [b.scale(stacked, scale), b.transpose(k, [0, 1, 3, 2])]);
  const capped = softcap === 0 ? products : b.scale(b.op('Tanh', [b.scale(products, 1 / softcap)]), softcap);
  const biased = bias.reduce((scores, term) => b.add(scores, grouped(site, term, keyHeads, group, queries)), capped);
  const weights =
    sink === undefined
      ? b.op('Softmax', [biased], { axis: int(-1) })
      : softmaxWithSink(site, biased, sink === 'zero' ? undefined : sink, keyHeads, group, queries);
  const output = b.op('MatMul', [weights, v]);
  const unstacked = (x: string) => () => b.reshape(x, [batch, heads, queries, keys]);
  return {
    output: b.reshape(output, [batch, heads, queries, site.dims(v)[3]!]),
    products: unstacked(products),
    capped: unstacked(capped),
    biased: unstacked(biased),
    weights: unstacked(weights),
  };
}

/** A bias [batch or 1, heads or 1, queries or 1, keys] beside scores whose queries are stacked by key head. */
function grouped(site: FusedSite, bias: string, keyHeads: number, group: number, queries: number): string {
  const { b } = site;
  const dims = site.dims(bias);
  const [batch, heads, rows, keys] = [...new Array<number>(4 - dims.length).fill(1), ...dims] as [
    number,
    number,
    number,
    number,
  ];
  const full = b.reshape(bias, [batch, heads, rows, keys]);
  if (group === 1 || (heads === 1 && rows === 1)) return full;
  return site.once(`bias ${bias} for ${String(keyHeads)}×${String(group)}×${String(queries)}`, () => {
    if (heads === 1) {
      const wide = b.expand(b.reshape(full, [batch, 1, 1, rows, keys]), [batch, 1, group, queries, keys]);
      return b.reshape(wide, [batch, 1, group * queries, keys]);
    }
    return b.reshape(b.expand(full, [batch, heads, queries, keys]), [batch, keyHeads, group * queries, keys]);
  });
}

/** Softmax with one more key, whose weight goes to no value. */
function softmaxWithSink(
  site: FusedSite,
  scores: string,
  sink: string | undefined,
  keyHeads: number,
  group: number,
  queries: number,
): string {
  const { b } = site;
  const [batch, , rows, keys] = site.dims(scores) as [number, number, number, number];
  const column = [batch, keyHeads, rows, 1];
  const extra =
    sink === undefined
      ? b.zeros(column, scores)
      : b.expand(
          b.reshape(b.expand(b.reshape(sink, [1, keyHeads, group, 1]), [1, keyHeads, group, queries]), [
            1,
            keyHeads,
            rows,
            1,
          ]),
          column,
        );
  const all = b.op('Softmax', [b.op('Concat', [scores, extra], { axis: int(-1) })], { axis: int(-1) });
  return b.slice(all, 3, 0, keys);
}

/** The most negative number of a type, which masks and yet is no infinity: a row of it has weights instead of NaN. */
const LOWEST: Readonly<Partial<Record<DType, number>>> = { float16: -65504, float64: -Number.MAX_VALUE };
export const lowestOf = (dtype: DType): number => LOWEST[dtype] ?? -3.4028234663852886e38;

/** Which keys each query may see, by position. */
export interface Visibility {
  /** Keys before the first query: query i stands at position past + i. */
  readonly past: number;
  /** No key after the query's own position. */
  readonly causal: boolean;
  /** How many keys up to the own one are seen; 0 for all. */
  readonly window?: number;
}

/**
 * 0 where a query sees a key and the lowest number where not, [queries, keys]; undefined where all see all. Written as a few nodes
 * that the runtime computes once, not as a stored matrix, and once for all layers.
 */
export function visibilityBias(
  site: FusedSite,
  queries: number,
  keys: number,
  { past, causal, window = 0 }: Visibility,
  like: string,
): string | undefined {
  const { b } = site;
  const { dtype } = b.graph.type(like);
  const later = causal && past + 1 < keys;
  const earlier = window > 0 && past + queries > window;
  if (!later && !earlier) return undefined;
  return site.once(`visible ${[queries, keys, past, causal, window, dtype].join()}`, () => {
    const count = (start: number, size: number, dims: readonly number[]) =>
      b.reshape(
        b.op(
          'Range',
          [start, start + size, 1].map((value) => b.constant('int64', [], [value])),
        ),
        dims,
      );
    const query = count(past, queries, [queries, 1]);
    const key = count(0, keys, [1, keys]);
    const tests = [
      ...(later ? [b.op('LessOrEqual', [key, query])] : []),
      ...(earlier ? [b.op('Greater', [b.add(key, b.constant('int64', [], [window])), query])] : []),
    ];
    const seen = tests.reduce((all, test) => b.op('And', [all, test]));
    return chosen(site, seen, dtype);
  });
}

/** 0 where true and the lowest number where false. */
export function chosen(site: FusedSite, condition: string, dtype: DType, hidden = lowestOf(dtype)): string {
  const { b } = site;
  return b.op('Where', [condition, b.constant(dtype, [], [0]), b.constant(dtype, [], [hidden])]);
}

/**
 * One bias of several: their sum, kept from falling below the lowest number, since a row of infinities would have no softmax.
 */
export function joinedBias(site: FusedSite, terms: readonly (string | undefined)[]): readonly string[] {
  const { b } = site;
  const given = terms.filter((term) => term !== undefined);
  if (given.length < 2) return given;
  const key = `joined ${given.join(' ')}`;
  return [
    site.once(key, () => {
      const sum = given.reduce((total, term) => b.add(total, term));
      return b.op('Max', [sum, b.constant(b.graph.type(sum).dtype, [], [lowestOf(b.graph.type(sum).dtype)])]);
    }),
  ];
}

/** [batch, length, heads · size] as [batch, heads, length, size]. */
export function splitHeads(site: FusedSite, x: string, heads: number): string {
  const { b } = site;
  const [batch, length, hidden] = site.dims(x) as [number, number, number];
  return b.transpose(b.reshape(x, [batch, length, heads, hidden / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, length, size] as [batch, length, heads · size]. */
export function joinHeads(site: FusedSite, x: string): string {
  const { b } = site;
  const [batch, heads, length, size] = site.dims(x) as [number, number, number, number];
  return b.reshape(b.transpose(x, [0, 2, 1, 3]), [batch, length, heads * size]);
}

/** Cached keys or values before the new ones, along the sequence; nothing is joined to an empty cache. */
export function afterPast(site: FusedSite, past: string | undefined, fresh: string): string {
  if (past === undefined || site.dims(past)[2] === 0) return fresh;
  return site.b.op('Concat', [past, fresh], { axis: int(2) });
}
