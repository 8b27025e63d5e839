import { floatAttr, intAttr, stringAttr } from '../attributes.ts';
import { int } from '../graph.ts';
import type { AttentionResult } from './attention.ts';
import { afterPast, attend, joinHeads, joinedBias, splitHeads, visibilityBias } from './attention.ts';
import { rmsNorm } from './normalisation.ts';
import { rotaryTables, rotate, rowsAt, rowsFrom } from './rotary.ts';
import type { RotaryTables } from './rotary.ts';
import type { FusedSite, Lowering } from './site.ts';

/** Inputs by place. */
const [QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, SEQLENS, TOTAL, COS, SIN, POSITIONS, BIAS, SINK] = [
  ...[0, 1, 2, 3, 4, 5],
  ...[6, 7, 8, 9, 10, 11],
] as const;
const [Q_NORM, K_NORM, QUERY_LENGTHS] = [14, 15, 16] as const;

/**
 * com.microsoft GroupQueryAttention: causal attention of q [batch, sequence, heads · size] (or q, k and v packed side by side)
 * over cached and new keys, with rotation of q and k inside.
 *
 * All rows of a batch must have a cache of the same length, namely that of the `past_key` tensor: what holds for scoring, where the
 * cache is empty, and for one sequence at a time. Rows of different lengths are padded at the end, where no query looks.
 */
export const groupQueryAttention: Lowering = (site) => {
  const { b, node } = site;
  const heads = intAttr(node, 'num_heads');
  const keyHeads = intAttr(node, 'kv_num_heads');
  checkVariant(site);
  const { q, k, v } = parts(site, heads, keyHeads);
  const [batch, , length, size] = site.dims(q) as [number, number, number, number];
  const pastKey = site.optional(PAST_KEY);
  const past = pastKey === undefined ? 0 : site.dims(pastKey)[2]!;
  checkLengths(site, batch, past, length);
  const epsilon = floatAttr(node, 'qk_norm_epsilon', 1e-6);
  const normed = (x: string, weight: number): string => {
    const gamma = site.optional(weight);
    return gamma === undefined ? x : rmsNorm(b, x, gamma, epsilon).y;
  };
  const tables = intAttr(node, 'do_rotary', 0) === 0 ? undefined : tablesOf(site, past, length);
  const turn = (x: string) => (tables === undefined ? x : rotate(site, x, tables));
  const keys = afterPast(site, pastKey, turn(normed(k, K_NORM)));
  const values = afterPast(site, site.optional(PAST_VALUE), v);
  const window = intAttr(node, 'local_window_size', -1);
  const visibility = { past, causal: intAttr(node, 'causal', 1) !== 0, window: Math.max(0, window) };
  const hidden = visibilityBias(site, length, past + length, visibility, q);
  const sink = site.optional(SINK);
  const scale = floatAttr(node, 'scale', 0);
  const result = attend(site, {
    q: turn(normed(q, Q_NORM)),
    k: keys,
    v: values,
    scale: scale === 0 ? 1 / Math.sqrt(size) : scale,
    softcap: floatAttr(node, 'softcap', 0),
    bias: joinedBias(site, [site.optional(BIAS), hidden]),
    ...(sink !== undefined ? { sink } : intAttr(node, 'smooth_softmax', 0) === 1 ? { sink: 'zero' as const } : {}),
  });
  const stage = site.wants(3) ? QK_STAGES[intAttr(node, 'qk_output', 0)] : undefined;
  return [joinHeads(site, result.output), keys, values, stage?.(site, result, hidden)];
};

type Stage = (site: FusedSite, result: AttentionResult, hidden: string | undefined) => string;

/** Output 3 by the attribute qk_output: scores before the softmax, 0 where a key is not seen; or weights after it. */
const QK_STAGES: Readonly<Record<number, Stage>> = {
  1: (site, result, hidden) => {
    const { b } = site;
    const bias = site.optional(BIAS);
    const scores = bias === undefined ? result.capped() : b.add(result.capped(), bias);
    if (hidden === undefined) return scores;
    const zero = b.scalar(0, scores);
    return b.op('Where', [b.op('Equal', [hidden, zero]), scores, zero]);
  },
  2: (_site, result) => result.weights(),
};

function checkVariant(site: FusedSite): void {
  const { node } = site;
  for (const name of ['k_quant_type', 'v_quant_type']) {
    const kind = stringAttr(node, name, 'NONE');
    if (kind !== 'NONE') {
      throw site.error(
        `a quantised key-value cache (${name} ${kind}) cannot be differentiated`,
        'Use an export without',
      );
    }
  }
  if (site.optional(QUERY_LENGTHS) !== undefined || intAttr(node, 'sliding_window_cache', 0) !== 0) {
    throw site.error('chunked prefill and sliding caches are not supported', 'Use an export without query_seqlens');
  }
}

/** Rows of a batch with caches of their own lengths would need a cache that is packed row by row. */
function checkLengths(site: FusedSite, batch: number, past: number, length: number): void {
  if (past === 0) return;
  const total = site.optional(TOTAL) === undefined ? undefined : site.b.values(site.x(TOTAL))?.[0];
  const last = site.b.values(site.x(SEQLENS));
  const ragged = last === undefined ? batch > 1 : last.some((value) => value + 1 !== past + length);
  if (ragged || (total !== undefined && total !== past + length)) {
    throw site.error(
      `a key-value cache of ${String(past)} places that is not filled to its end cannot be differentiated`,
      'Bind past_key and past_value to the length that they hold (0 to score a whole sequence)',
    );
  }
}

/** q, k and v as [batch, heads, sequence, size], from three inputs or one. */
function parts(site: FusedSite, heads: number, keyHeads: number): { q: string; k: string; v: string } {
  const { b } = site;
  const split = (x: string, count: number) => splitHeads(site, x, count);
  if (site.optional(KEY) !== undefined) {
    const whole = (i: number, count: number) =>
      site.dims(site.x(i)).length === 4 ? site.x(i) : split(site.x(i), count);
    return { q: split(site.x(QUERY), heads), k: whole(KEY, keyHeads), v: whole(VALUE, keyHeads) };
  }
  const size = site.dims(site.x(QUERY))[2]! / (heads + 2 * keyHeads);
  const sizes = b.ints([heads * size, keyHeads * size, keyHeads * size]);
  const [q, k, v] = b.multi('Split', [site.x(QUERY), sizes], { axis: int(-1) }, { outputs: 3 });
  return { q: split(q!, heads), k: split(k!, keyHeads), v: split(v!, keyHeads) };
}

/** Angles at the given positions, or at those after the cache. */
function tablesOf(site: FusedSite, past: number, length: number): RotaryTables {
  const [cos, sin, given] = [site.x(COS), site.x(SIN), site.optional(POSITIONS)];
  const interleaved = intAttr(site.node, 'rotary_interleaved', 0) !== 0;
  if (given === undefined) {
    const rows = (cache: string) => rowsFrom(site, cache, past, length);
    return rotaryTables(site, rows(cos), rows(sin), interleaved, `${cos} ${sin} ${String(past)}+${String(length)}`);
  }
  const rows = (cache: string) => rowsAt(site, cache, given);
  return rotaryTables(site, rows(cos), rows(sin), interleaved, `${cos} ${sin} ${given}`);
}
