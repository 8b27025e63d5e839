import { floatAttr, intAttr, intsAttr } from '../attributes.ts';
import { int } from '../graph.ts';
import { afterPast, attend, joinHeads, joinedBias, splitHeads, visibilityBias } from './attention.ts';
import { paddingBias } from './padding.ts';
import type { FusedSite, Lowering } from './site.ts';

/**
 * com.microsoft Attention: the projection of x [batch, sequence, width] to q, k and v by one matrix, self-attention, and a cache of
 * keys and values in one tensor [2, batch, heads, length, size].
 */
export const microsoftAttention: Lowering = (site) => {
  const { b, node } = site;
  const heads = intAttr(node, 'num_heads');
  if (site.optional(6) !== undefined || intAttr(node, 'do_rotary', 0) !== 0) {
    throw site.error('a shared cache buffer or rotation inside Attention is not supported', 'Export the model again');
  }
  const bias = site.optional(2);
  const product = b.op('MatMul', [site.x(), site.x(1)]);
  const projected = bias === undefined ? product : b.add(product, bias);
  const hidden = site.dims(projected)[2]!;
  const sizes = intsAttr(node, 'qkv_hidden_sizes', [hidden / 3, hidden / 3, hidden / 3]);
  const pieces = b.multi('Split', [projected, b.ints(sizes)], { axis: int(-1) }, { outputs: 3 });
  const [q, k, v] = pieces.map((piece) => splitHeads(site, piece, heads)) as [string, string, string];
  const past = site.optional(4);
  const [pastKeys, pastValues] = past === undefined ? [] : halves(site, past);
  const keys = afterPast(site, pastKeys, k);
  const values = afterPast(site, pastValues, v);
  const [batch, , queries, size] = site.dims(q) as [number, number, number, number];
  const total = site.dims(keys)[2]!;
  const mask = site.optional(3);
  const scale = floatAttr(node, 'scale', 0);
  const visibility = { past: total - queries, causal: intAttr(node, 'unidirectional', 0) !== 0 };
  const result = attend(site, {
    ...{ q, k: keys, v: values },
    scale: scale === 0 ? 1 / Math.sqrt(size) : scale,
    bias: joinedBias(site, [
      mask === undefined ? undefined : paddingBias(site, mask, batch, total, q),
      site.optional(5),
      visibilityBias(site, queries, total, visibility, q),
    ]),
  });
  const together = (x: string) => b.reshape(x, [1, ...site.dims(x)]);
  const present = site.wants(1) ? b.op('Concat', [together(keys), together(values)], { axis: int(0) }) : undefined;
  return [joinHeads(site, result.output), present];
};

/** Keys and values of a joint cache. */
function halves(site: FusedSite, past: string): readonly [string, string] {
  const { b } = site;
  const dims = site.dims(past).slice(1);
  return [b.reshape(b.slice(past, 0, 0, 1), dims), b.reshape(b.slice(past, 0, 1, 1), dims)];
}
