import { floatAttr, intAttr } from '../attributes.ts';
import type { Builder } from '../builder.ts';
import { float, int } from '../graph.ts';
import { swish } from './activations.ts';
import type { FusedSite, Lowering } from './site.ts';

const EPSILON = 1e-12;

/** x / √(mean x² + ε) over the last axis, times γ; and 1/√(mean x² + ε). */
export function rmsNorm(b: Builder, x: string, gamma: string, epsilon: number): { y: string; inverse: string } {
  const square = b.mean(b.mul(x, x), [-1]);
  const inverse = b.op('Reciprocal', [b.op('Sqrt', [b.add(square, b.scalar(epsilon, x))])]);
  return { y: b.mul(b.mul(x, inverse), gamma), inverse };
}

/** x + skip + bias; what is omitted does not count. A skip with one row for all batches is broadcast. */
function residual(site: FusedSite, skip: number, bias: number): string {
  const terms = [site.x(), site.optional(skip), site.optional(bias)].filter((term) => term !== undefined);
  return terms.reduce((sum, term) => site.b.add(sum, term));
}

/** Output 0 is the normalised residual sum, 1 is empty (there is no mean), 2 is 1/rms, and 3 the residual sum itself. */
export const skipSimplifiedLayerNormalization: Lowering = (site) => {
  const sum = residual(site, 1, 3);
  const { y, inverse } = rmsNorm(site.b, sum, site.x(2), floatAttr(site.node, 'epsilon', EPSILON));
  if (site.wants(1)) {
    throw site.error('an RMS normalisation has no mean, which is asked for as output 1', 'Export the model again');
  }
  return [y, undefined, inverse, sum];
};

/** Output 0 is the normalised residual sum, 1 its mean, 2 is 1/σ, and 3 the residual sum itself. */
export const skipLayerNormalization: Lowering = (site) => {
  const sum = residual(site, 1, 4);
  const shift = site.optional(3);
  const attributes = { axis: int(-1), epsilon: float(floatAttr(site.node, 'epsilon', EPSILON)) };
  const inputs = [sum, site.x(2), ...(shift === undefined ? [] : [shift])];
  return [...site.b.multi('LayerNormalization', inputs, attributes, { outputs: 3 }), sum];
};

/** The same as ONNX's own, under onnxruntime's domain. */
export const layerNormalization: Lowering = (site) => [
  ...site.b.multi('LayerNormalization', [...site.node.inputs], site.node.attributes, { outputs: 3 }),
];

/**
 * Layer normalisation of word + position + segment embeddings. The embeddings are found by ids, so only tables could be
 * differentiated. Output 1, the number of leading ones of the mask, is written where it is asked for; output 2 is the sum.
 */
export const embedLayerNormalization: Lowering = (site) => {
  const { b, node } = site;
  const [batch, length] = site.dims(site.x()) as [number, number];
  const word = b.op('Gather', [site.x(2), site.x()]);
  const ids = site.optional(8);
  const position = ids === undefined ? b.slice(site.x(3), 0, 0, length) : b.op('Gather', [site.x(3), ids]);
  const segments = site.optional(1);
  const terms = [word, position, ...(segments === undefined ? [] : [b.op('Gather', [site.x(4), segments])])];
  const sum = terms.reduce((total, term) => b.add(total, term));
  const attributes = { axis: int(-1), epsilon: float(floatAttr(node, 'epsilon', EPSILON)) };
  const y = b.op('LayerNormalization', [sum, site.x(5), site.x(6)], attributes);
  return [y, site.wants(1) ? maskIndex(site, batch) : undefined, sum];
};

/** Ones of each row of the mask; zeros where there is none. */
function maskIndex(site: FusedSite, batch: number): string {
  const { b } = site;
  const mask = site.optional(7);
  return mask === undefined
    ? b.op('ConstantOfShape', [b.ints([batch])], {
        value: { kind: 'tensor', value: { dtype: 'int32', dims: [1], data: new Uint8Array(4) } },
      })
    : b.op('ReduceSum', [mask, b.ints([1])], { keepdims: int(0) });
}

/** Group normalisation with images as rows (NHWC) or channels first, then SiLU where `activation` is 1. */
export const groupNorm: Lowering = (site) => [grouped(site, site.x())];

/** Group normalisation of x + skip + bias; output 1 is that sum. */
export const skipGroupNorm: Lowering = (site) => {
  const { b } = site;
  const channelsLast = intAttr(site.node, 'channels_last', 1) !== 0;
  const [n, c] = [site.dims(site.x())[0]!, site.dims(site.x(1))[0]!];
  const perChannel = (x: string): string =>
    b.dims(x).length === 4
      ? x
      : b.reshape(x, [b.dims(x).length === 1 ? 1 : n, ...(channelsLast ? [1, 1, c] : [c, 1, 1])]);
  const bias = site.optional(4);
  const skipped = b.add(site.x(), perChannel(site.x(3)));
  const sum = bias === undefined ? skipped : b.add(skipped, perChannel(bias));
  return [grouped(site, sum), sum];
};

function grouped(site: FusedSite, x: string): string {
  const { b, node } = site;
  const channelsLast = intAttr(node, 'channels_last', 1) !== 0;
  const dims = b.dims(channelsLast ? b.transpose(x, [0, 3, 1, 2]) : x);
  const first = channelsLast ? b.transpose(x, [0, 3, 1, 2]) : x;
  const [n, c] = dims as [number, number];
  const groups = intAttr(node, 'groups');
  const rows = b.reshape(first, [n, groups, -1]);
  const centred = b.sub(rows, b.mean(rows, [-1]));
  const variance = b.add(b.mean(b.mul(centred, centred), [-1]), b.scalar(floatAttr(node, 'epsilon', 1e-5), x));
  const normal = b.reshape(b.div(centred, b.op('Sqrt', [variance])), dims);
  const perChannel = (value: string) => b.reshape(value, [c, 1, 1]);
  const y = b.add(b.mul(normal, perChannel(site.x(1))), perChannel(site.x(2)));
  const active = intAttr(node, 'activation', 0) !== 0 ? swish(b, y) : y;
  return channelsLast ? b.transpose(active, [0, 2, 3, 1]) : active;
}
