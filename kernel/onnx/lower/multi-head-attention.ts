import { floatAttr, intAttr } from '../attributes.ts';
import { int } from '../graph.ts';
import { afterPast, attend, joinHeads, joinedBias, splitHeads, visibilityBias } from './attention.ts';
import { paddingBias } from './padding.ts';
import type { FusedSite, Lowering } from './site.ts';

const [QUERY, KEY, VALUE, BIAS, PADDING, SCORES_BIAS, PAST_KEY, PAST_VALUE, PAST_LENGTH, BEAMS] = [
  ...[0, 1, 2, 3, 4],
  ...[5, 6, 7, 8, 9],
] as const;

/**
 * com.microsoft MultiHeadAttention: q, k and v apart, k and v packed [batch, keys, heads, 2, size], all packed
 * [batch, sequence, heads, 3, size], or k and v as another attention's cache [batch, heads, keys, size].
 */
export const multiHeadAttention: Lowering = (site) => {
  const { node } = site;
  const heads = intAttr(node, 'num_heads');
  if (site.optional(BEAMS) !== undefined || site.optional(PAST_LENGTH) !== undefined) {
    throw site.error('a cache shared between beams or steps is not supported', 'Export the model without it');
  }
  const { q, k, v } = parts(site, heads);
  const keys = afterPast(site, site.optional(PAST_KEY), k);
  const values = afterPast(site, site.optional(PAST_VALUE), v);
  const [batch, , queries, size] = site.dims(q) as [number, number, number, number];
  const total = site.dims(keys)[2]!;
  const scale = floatAttr(node, 'scale', 0);
  const unidirectional = intAttr(node, 'unidirectional', 0) !== 0;
  const visibility = { past: total - site.dims(k)[2]!, causal: unidirectional };
  const mask = site.optional(PADDING);
  const result = attend(site, {
    q,
    k: keys,
    v: values,
    scale: scale === 0 ? 1 / Math.sqrt(size) : scale,
    bias: joinedBias(site, [
      mask === undefined ? undefined : paddingBias(site, mask, batch, total, q),
      site.optional(SCORES_BIAS),
      visibilityBias(site, queries, total, visibility, q),
    ]),
  });
  return [joinHeads(site, result.output), keys, values, site.wants(3) ? result.biased() : undefined];
};

/** q, k and v as [batch, heads, length, size], with the projections' biases added. */
function parts(site: FusedSite, heads: number): { q: string; k: string; v: string } {
  const { b } = site;
  const query = site.x(QUERY);
  const key = site.optional(KEY);
  const value = site.optional(VALUE);
  if (key === undefined) {
    const [q, k, v] = unpacked(site, query);
    const [bq, bk, bv] = biases(site, heads, site.dims(query)[4]!, site.dims(query)[4]!);
    return { q: plus(b.add.bind(b), q!, bq), k: plus(b.add.bind(b), k!, bk), v: plus(b.add.bind(b), v!, bv) };
  }
  const size = site.dims(query)[2]! / heads;
  const q = splitHeads(site, query, heads);
  if (value === undefined) {
    const [k, v] = unpacked(site, key);
    const [bq] = biases(site, heads, size, size);
    return { q: plus(b.add.bind(b), q, bq), k: k!, v: v! };
  }
  const cached = site.dims(key).length === 4;
  const valueSize = cached ? site.dims(value)[3]! : site.dims(value)[2]! / heads;
  const [bq, bk, bv] = biases(site, heads, size, valueSize);
  if (cached) return { q: plus(b.add.bind(b), q, bq), k: key, v: value };
  return {
    q: plus(b.add.bind(b), q, bq),
    k: plus(b.add.bind(b), splitHeads(site, key, heads), bk),
    v: plus(b.add.bind(b), splitHeads(site, value, heads), bv),
  };
}

const plus = (add: (x: string, y: string) => string, x: string, bias: string | undefined): string =>
  bias === undefined ? x : add(x, bias);

/** [batch, length, heads, parts, size] as that many tensors [batch, heads, length, size]. */
function unpacked(site: FusedSite, x: string): readonly string[] {
  const { b } = site;
  const [batch, length, heads, count, size] = site.dims(x) as [number, number, number, number, number];
  const pieces = b.multi('Split', [x], { axis: int(3), num_outputs: int(count) }, { outputs: count });
  return pieces.map((piece) => b.transpose(b.reshape(piece, [batch, length, heads, size]), [0, 2, 1, 3]));
}

/** The bias of q, k and v as [heads, 1, size] each. */
function biases(site: FusedSite, heads: number, size: number, valueSize: number): readonly (string | undefined)[] {
  const { b } = site;
  const bias = site.optional(BIAS);
  if (bias === undefined) return [undefined, undefined, undefined];
  const sizes = [size, size, valueSize];
  const pieces = b.multi('Split', [bias, b.ints(sizes.map((one) => one * heads))], { axis: int(0) }, { outputs: 3 });
  return pieces.map((piece, i) => b.reshape(piece, [heads, 1, sizes[i]!]));
}
