import { intAttr } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { epsilonOf } from '../../onnx/shapes/convolution.ts';
import { normalAxis } from '../../onnx/shapes/site.ts';
import type { Rule, Site } from '../site.ts';

/** Name of an optional output of the forward node, which is asked for here if it was not before. */
function output(s: Site, i: number): string {
  const { node, b } = s;
  while (node.outputs.length <= i) node.outputs.push('');
  const existing = node.outputs[i]!;
  if (existing !== '') return existing;
  const name = b.graph.fresh(`${node.outputs[0]!}/statistics`);
  const dims = s.dims(s.x());
  const axis = normalAxis(intAttr(node, 'axis', -1), dims.length);
  b.graph.types.set(name, {
    dtype: b.graph.type(s.x()).dtype,
    dims: dims.map((dim, at) => (at < axis ? dim : 1)),
  });
  node.outputs[i] = name;
  return name;
}

const lastAxes = (s: Site): readonly number[] => {
  const rank = s.dims(s.x()).length;
  const axis = normalAxis(intAttr(s.node, 'axis', -1), rank);
  return Array.from({ length: rank - axis }, (_, i) => axis + i);
};

/**
 * y = γ·n + β with n = (x − μ)·r. With h = γ·dy: dx = r·(h − mean h − n·mean(h·n)).
 * μ and r are the forward node's optional outputs.
 */
export const layerNormalization: Rule = (s) => [
  () => {
    const { b } = s;
    const axes = lastAxes(s);
    const r = output(s, 2);
    const centred = b.sub(s.x(), output(s, 1));
    const h = b.mul(s.dy, s.x(1));
    // r²·mean(h·(x − μ)) is small: one number for each normalised vector.
    const slope = b.mul(b.mean(b.mul(h, centred), axes), b.mul(r, r));
    const rest = b.sub(b.sub(h, b.mean(h, axes)), b.mul(centred, slope));
    return b.mul(rest, r);
  },
];

/** y = γ·n with n = x·r: dx = r·(h − n·mean(h·n)) */
export const rmsNormalization: Rule = (s) => [
  () => {
    const { b } = s;
    const axes = lastAxes(s);
    const square = b.mean(b.mul(s.x(), s.x()), axes);
    const r = b.op('Reciprocal', [b.op('Sqrt', [b.add(square, b.scalar(epsilonOf(s.node), s.x()))])]);
    const h = b.mul(s.dy, s.x(1));
    const slope = b.mul(b.mean(b.mul(h, s.x()), axes), b.mul(r, r));
    return b.mul(b.sub(h, b.mul(s.x(), slope)), r);
  },
];

/** γ of one number for each channel, to stand beside [n, c, …]. */
const perChannel = (s: Site, i: number): string => {
  const rank = s.dims(s.x()).length;
  return s.b.reshape(s.x(i), [s.dims(s.x(i))[0]!, ...new Array<number>(rank - 2).fill(1)]);
};

/** At inference the statistics are constants: dx = γ/√(σ² + ε)·dy */
export const batchNormalization: Rule = (s) => [
  () => {
    const { b } = s;
    const sigma = b.op('Sqrt', [b.add(perChannel(s, 4), b.scalar(epsilonOf(s.node), s.x(4)))]);
    return b.mul(s.dy, b.div(perChannel(s, 1), sigma));
  },
];

/** dx of n = (x − mean)/√(var + ε) over the last axis of x seen as groups, given dn. */
function normalisedGradient(s: Site, grouped: readonly number[], h: string): string {
  const { b } = s;
  const last = [grouped.length - 1];
  const x = b.reshape(s.x(), grouped);
  const g = b.reshape(h, grouped);
  const centred = b.sub(x, b.mean(x, last));
  const variance = b.add(b.mean(b.mul(centred, centred), last), b.scalar(epsilonOf(s.node), x));
  const r = b.op('Reciprocal', [b.op('Sqrt', [variance])]);
  const slope = b.mul(b.mean(b.mul(g, centred), last), b.mul(r, r));
  const dx = b.mul(b.sub(b.sub(g, b.mean(g, last)), b.mul(centred, slope)), r);
  return b.reshape(dx, s.dims(s.x()));
}

/** Statistics over each channel's pixels. */
export const instanceNormalization: Rule = (s) => [
  () => {
    const dims = s.dims(s.x());
    const grouped = [dims[0]!, dims[1]!, sizeOf(dims.slice(2))];
    return normalisedGradient(s, grouped, s.b.mul(s.dy, perChannel(s, 1)));
  },
];

/** Statistics over the channels and pixels of each group. */
export const groupNormalization: Rule = (s) => [
  () => {
    const dims = s.dims(s.x());
    const groups = intAttr(s.node, 'num_groups');
    const grouped = [dims[0]!, groups, sizeOf(dims.slice(1)) / groups];
    return normalisedGradient(s, grouped, s.b.mul(s.dy, perChannel(s, 1)));
  },
];
