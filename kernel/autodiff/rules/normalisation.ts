import { floatAttr, intAttr, intsAttr } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { int } from '../../onnx/graph.ts';
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

const inverseRoot = (s: Site, variance: string): string =>
  s.b.op('Reciprocal', [s.b.op('Sqrt', [s.b.add(variance, s.b.scalar(epsilonOf(s.node), variance))])]);

/**
 * y = γ·n + β with n = (x − μ)·r. With h = γ·dy: dx = r·(h − mean h − n·mean(h·n)); dγ = Σ dy·n, dβ = Σ dy.
 * μ and r are the forward node's optional outputs; where they are read, dx has dμ/n − r³·(x − μ)·dr/n too.
 */
export const layerNormalization: Rule = (s) => {
  const { b } = s;
  const axes = lastAxes(s);
  const centre = () => b.sub(s.x(), output(s, 1));
  const [dy, dMean, dRoot] = s.grads;
  const fromOutput = (gradient: string): string => {
    const r = output(s, 2);
    const centred = centre();
    const h = b.mul(b.expand(gradient, s.dims(s.y())), s.x(1));
    // r²·mean(h·(x − μ)) is small: one number for each normalised vector.
    const slope = b.mul(b.mean(b.mul(h, centred), axes), b.mul(r, r));
    const rest = b.sub(b.sub(h, b.mean(h, axes)), b.mul(centred, slope));
    return b.mul(rest, r);
  };
  const fromStatistics = (): string[] => {
    const count = sizeOf(axes.map((axis) => s.dims(s.x())[axis]!));
    const r = dRoot === undefined ? '' : output(s, 2);
    const cube = () => b.mul(b.mul(b.scale(dRoot!, -1 / count), r), b.mul(r, r));
    return [
      ...(dMean === undefined ? [] : [b.scale(dMean, 1 / count)]),
      ...(dRoot === undefined ? [] : [b.mul(centre(), cube())]),
    ];
  };
  return [
    () => [...(dy === undefined ? [] : [fromOutput(dy)]), ...fromStatistics()],
    () => s.unbroadcast(b.mul(s.dy, b.mul(centre(), output(s, 2))), 1),
    () => s.unbroadcast(s.dy, 2),
  ];
};

/** y = γ·n with n = x·r: dx = r·(h − n·mean(h·n)), dγ = Σ dy·n */
export const rmsNormalization: Rule = (s) => {
  const { b } = s;
  const axes = lastAxes(s);
  const root = () => inverseRoot(s, b.mean(b.mul(s.x(), s.x()), axes));
  return [
    () => {
      const r = root();
      const h = b.mul(s.dy, s.x(1));
      const slope = b.mul(b.mean(b.mul(h, s.x()), axes), b.mul(r, r));
      return b.mul(b.sub(h, b.mul(s.x(), slope)), r);
    },
    () => s.unbroadcast(b.mul(s.dy, b.mul(s.x(), root())), 1),
  ];
};

/** A vector of one number for each channel, to stand beside [n, c, …]. */
const perChannel = (s: Site, i: number): string => {
  const rank = s.dims(s.x()).length;
  return s.b.reshape(s.x(i), [s.dims(s.x(i))[0]!, ...new Array<number>(rank - 2).fill(1)]);
};

/** A gradient of the output's shape summed to one number for each channel. */
const channelSum = (s: Site, gradient: string): string =>
  s.b.sum(
    gradient,
    s.dims(s.y()).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
    false,
  );

/**
 * At inference the statistics are inputs like the others: y = γ·n + β with n = (x − μ)·r and r = 1/√(σ² + ε).
 * dx = γr·dy, dγ = Σ dy·n, dβ = Σ dy, dμ = −Σ γr·dy, dσ² = −½ Σ γ·dy·n·r².
 */
export const batchNormalization: Rule = (s) => {
  const { b } = s;
  const root = () => inverseRoot(s, perChannel(s, 4));
  const factor = () => {
    const sigma = b.op('Sqrt', [b.add(perChannel(s, 4), b.scalar(epsilonOf(s.node), s.x(4)))]);
    return b.div(perChannel(s, 1), sigma);
  };
  const normal = () => b.mul(b.sub(s.x(), perChannel(s, 3)), root());
  return [
    () => b.mul(s.dy, factor()),
    () => channelSum(s, b.mul(s.dy, normal())),
    () => channelSum(s, s.dy),
    () => channelSum(s, b.scale(b.mul(s.dy, factor()), -1)),
    () => {
      const r = root();
      const inner = b.mul(b.mul(s.dy, perChannel(s, 1)), b.mul(normal(), b.mul(r, r)));
      return channelSum(s, b.scale(inner, -0.5));
    },
  ];
};

/** dx of n = (x − mean)/√(var + ε) over the last axis of x seen as groups, given dn. */
function normalisedGradient(s: Site, grouped: readonly number[], h: string): string {
  const { b } = s;
  const last = [grouped.length - 1];
  const g = b.reshape(h, grouped);
  const { centred, r } = statistics(s, grouped);
  const slope = b.mul(b.mean(b.mul(g, centred), last), b.mul(r, r));
  const dx = b.mul(b.sub(b.sub(g, b.mean(g, last)), b.mul(centred, slope)), r);
  return b.reshape(dx, s.dims(s.x()));
}

/** x − mean and 1/√(var + ε) over the last axis of x seen as groups. */
function statistics(s: Site, grouped: readonly number[]): { readonly centred: string; readonly r: string } {
  const { b } = s;
  const last = [grouped.length - 1];
  const x = b.reshape(s.x(), grouped);
  const centred = b.sub(x, b.mean(x, last));
  return { centred, r: inverseRoot(s, b.mean(b.mul(centred, centred), last)) };
}

/** Channels normalised in groups (`grouped` is x's shape with a group as the last axis), then scaled and shifted by channel. */
function groupRule(s: Site, grouped: readonly number[]): ReturnType<Rule> {
  const { b } = s;
  const normal = () => {
    const { centred, r } = statistics(s, grouped);
    return b.reshape(b.mul(centred, r), s.dims(s.x()));
  };
  return [
    () => normalisedGradient(s, grouped, b.mul(s.dy, perChannel(s, 1))),
    () => channelSum(s, b.mul(s.dy, normal())),
    () => channelSum(s, s.dy),
  ];
}

/** Statistics over each channel's pixels. */
export const instanceNormalization: Rule = (s) => {
  const dims = s.dims(s.x());
  return groupRule(s, [dims[0]!, dims[1]!, sizeOf(dims.slice(2))]);
};

/** Statistics over the channels and pixels of each group. */
export const groupNormalization: Rule = (s) => {
  const dims = s.dims(s.x());
  const groups = intAttr(s.node, 'num_groups');
  return groupRule(s, [dims[0]!, groups, sizeOf(dims.slice(1)) / groups]);
};

/** y = (x − μ)/(σ + 10⁻⁹) over some axes: dx = (dy − mean dy − y·mean(y·dy))/(σ + 10⁻⁹) */
export const meanVarianceNormalization: Rule = (s) => [
  () => {
    const { b } = s;
    const axes = intsAttr(s.node, 'axes', [0, 2, 3]);
    const centred = b.sub(s.x(), b.mean(s.x(), axes));
    const sigma = b.add(b.op('Sqrt', [b.mean(b.mul(centred, centred), axes)]), b.scalar(1e-9, s.x()));
    const rest = b.sub(b.sub(s.dy, b.mean(s.dy, axes)), b.mul(s.y(), b.mean(b.mul(s.y(), s.dy), axes)));
    return b.div(rest, sigma);
  },
];

/** y = x/‖x‖: for the Euclidean norm dx = (dy − y·Σ y·dy)/‖x‖, for Σ|x| it is (dy − sign(x)·Σ y·dy)/‖x‖. */
export const lpNormalization: Rule = (s) => [
  () => {
    const { b } = s;
    const axes = [intAttr(s.node, 'axis', -1)];
    const euclidean = intAttr(s.node, 'p', 2) === 2;
    const norm = b.op(euclidean ? 'ReduceL2' : 'ReduceL1', [s.x(), b.ints(axes)], { keepdims: int(1) });
    const direction = euclidean ? s.y() : b.op('Sign', [s.x()]);
    // A vector of zeros stays one.
    const rest = b.sub(s.dy, b.mul(direction, b.sum(b.mul(s.y(), s.dy), axes)));
    const [zero, one] = [b.scalar(0, norm), b.scalar(1, norm)];
    const isZero = b.op('Equal', [norm, zero]);
    return b.op('Where', [isZero, zero, b.div(rest, b.op('Where', [isZero, one, norm]))]);
  },
];

/**
 * y = x·S^−β with S = k + α/n·(sum of x² over n neighbouring channels), that is S = k + α/n·A·x² with a banded 0/1 matrix A:
 * dx = dy·S^−β − 2αβ/n·x·Aᵀ(dy·x·S^(−β−1)).
 */
export const lrn: Rule = (s) => [
  () => {
    const { b, node } = s;
    const [n, channels, ...spatial] = s.dims(s.x()) as [number, number, ...number[]];
    const size = intAttr(node, 'size');
    const [alpha, beta] = [floatAttr(node, 'alpha', 1e-4), floatAttr(node, 'beta', 0.75)];
    const flat = [n, channels, sizeOf(spatial)];
    const [below, above] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const near = Array.from({ length: channels * channels }, (_, at) => {
      const distance = (at % channels) - Math.floor(at / channels);
      return distance >= -below && distance <= above ? 1 : 0;
    });
    const band = b.constant(b.graph.type(s.x()).dtype, [channels, channels], near, 'neighbours');
    const [x, dy] = [b.reshape(s.x(), flat), b.reshape(s.dy, flat)];
    const sums = b.op('MatMul', [band, b.mul(x, x)]);
    const base = b.add(b.scale(sums, alpha / size), b.scalar(floatAttr(node, 'bias', 1), x));
    const direct = b.mul(dy, b.op('Pow', [base, b.scalar(-beta, x)]));
    const spread = b.op('MatMul', [b.transpose(band, [1, 0]), b.div(b.mul(direct, x), base)]);
    return b.reshape(b.sub(direct, b.scale(b.mul(x, spread), (2 * alpha * beta) / size)), s.dims(s.x()));
  },
];
