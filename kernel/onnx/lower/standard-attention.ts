import { floatAttr, intAttr } from '../attributes.ts';
import type { AttentionResult } from './attention.ts';
import { afterPast, attend, chosen, joinHeads, joinedBias, lowestOf, splitHeads, visibilityBias } from './attention.ts';
import type { FusedSite, Lowering } from './site.ts';

/** Attributes of operator sets 23 and 24; newer ones (local windows) would change the result. */
const KNOWN: readonly string[] = [
  ...['is_causal', 'kv_num_heads', 'q_num_heads', 'qk_matmul_output_mode', 'scale', 'softcap', 'softmax_precision'],
];

/**
 * ONNX's Attention (opset 23, 24): q, k and v as [batch, heads, length, size] or [batch, length, heads · size], with shared key
 * heads, a mask that is boolean or added, a cache, and a softcap.
 */
export const standardAttention: Lowering = (site) => {
  const { b, node } = site;
  const unknown = Object.keys(node.attributes).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw site.error(`Attention with "${unknown}" is not supported`, EXPORT_OLDER);
  if (site.optional(6) !== undefined && intAttr(node, 'is_causal', 0) !== 0) {
    throw site.error('causal Attention with nonpad_kv_seqlen is not supported', EXPORT_OLDER);
  }
  const flat = site.dims(site.x()).length === 3;
  const heads = (i: number, name: string) => (flat ? splitHeads(site, site.x(i), intAttr(node, name)) : site.x(i));
  const q = heads(0, 'q_num_heads');
  const [k, v] = [heads(1, 'kv_num_heads'), heads(2, 'kv_num_heads')];
  const keys = afterPast(site, site.optional(4), k);
  const values = afterPast(site, site.optional(5), v);
  const [, , queries, size] = site.dims(q) as [number, number, number, number];
  const total = site.dims(keys)[2]!;
  const past = total - site.dims(k)[2]!;
  const causal = intAttr(node, 'is_causal', 0) !== 0;
  const lengths = site.optional(6);
  const result = attend(site, {
    ...{ q, k: keys, v: values },
    scale: floatAttr(node, 'scale', 1 / Math.sqrt(size)),
    softcap: floatAttr(node, 'softcap', 0),
    bias: joinedBias(site, [
      maskBias(site, total, q),
      lengths === undefined ? undefined : lengthBias(site, lengths, total, q),
      visibilityBias(site, queries, total, { past, causal }, q),
    ]),
  });
  const stage = site.wants(3) ? STAGES[intAttr(node, 'qk_matmul_output_mode', 0)] : undefined;
  const y = flat ? joinHeads(site, result.output) : result.output;
  return [y, b.reshape(keys, site.dims(keys)), b.reshape(values, site.dims(values)), stage?.(result)];
};

const EXPORT_OLDER = 'Export the model with operator set 23';

/** What output 3 shows, by qk_matmul_output_mode. */
const STAGES: Readonly<Record<number, (result: AttentionResult) => string>> = {
  0: (result) => result.products(),
  1: (result) => result.capped(),
  2: (result) => result.biased(),
  3: (result) => result.weights(),
};

/** The mask as a bias. Keys beyond its last column are hidden. */
function maskBias(site: FusedSite, keys: number, like: string): string | undefined {
  const { b } = site;
  const mask = site.optional(3);
  if (mask === undefined) return undefined;
  const { dtype } = b.graph.type(like);
  return site.once(`mask ${mask} ${String(keys)} ${dtype}`, () => {
    const bias = b.graph.type(mask).dtype === 'bool' ? chosen(site, mask, dtype) : mask;
    const dims = site.dims(bias);
    const missing = keys - dims.at(-1)!;
    if (missing <= 0) return bias;
    const pads = [...dims.map(() => 0), ...dims.map((_, axis) => (axis === dims.length - 1 ? missing : 0))];
    return b.op('Pad', [bias, b.ints(pads), b.constant(dtype, [], [lowestOf(dtype)])]);
  });
}

/** Hides the keys from each row's number of valid ones on, [batch]. */
function lengthBias(site: FusedSite, lengths: string, keys: number, like: string): string {
  const { b } = site;
  const steps = b.op(
    'Range',
    [0, keys, 1].map((value) => b.constant('int64', [], [value])),
  );
  const valid = b.op('Less', [
    b.reshape(steps, [1, 1, 1, keys]),
    b.reshape(lengths, [site.dims(lengths)[0]!, 1, 1, 1]),
  ]);
  return chosen(site, valid, b.graph.type(like).dtype);
}
