import { hasAttr, intAttr, intsAttr, nodeError, stringAttr, floatAttr } from '../attributes.ts';
import type { Node } from '../graph.ts';
import type { ShapeRule, ShapeSite } from './site.ts';

/** A sliding window over the spatial axes (those after batch and channel), one number for each axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Reads kernel, strides, dilations and pads, with `auto_pad` resolved for the input's spatial sizes. */
export function slidingWindow(node: Node, spatial: readonly number[], kernel: readonly number[]): Window {
  const ones = spatial.map(() => 1);
  const strides = intsAttr(node, 'strides', ones);
  const dilations = intsAttr(node, 'dilations', ones);
  const pads = intsAttr(
    node,
    'pads',
    [...spatial, ...spatial].map(() => 0),
  );
  const auto = stringAttr(node, 'auto_pad', 'NOTSET');
  if (auto === 'NOTSET' || auto === 'VALID') {
    return { kernel, strides, dilations, before: pads.slice(0, spatial.length), after: pads.slice(spatial.length) };
  }
  const total = spatial.map((size, i) => {
    const out = Math.ceil(size / strides[i]!);
    return Math.max(0, (out - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 - size);
  });
  const small = total.map((pad) => Math.floor(pad / 2));
  const large = total.map((pad) => Math.ceil(pad / 2));
  const upper = auto === 'SAME_UPPER';
  return { kernel, strides, dilations, before: upper ? small : large, after: upper ? large : small };
}

const slid = (window: Window, spatial: readonly number[], ceil = false): readonly number[] =>
  spatial.map((size, i) => {
    const reach = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    const steps = (size + window.before[i]! + window.after[i]! - reach) / window.strides[i]!;
    if (!ceil) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    // A window that would start in the padding after the input is left out.
    return (count - 1) * window.strides[i]! >= size + window.before[i]! ? count - 1 : count;
  });

export const convWindow = (site: Pick<ShapeSite, 'node' | 'dims'>): Window =>
  slidingWindow(site.node, site.dims(0).slice(2), site.dims(1).slice(2));

export const conv: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const groups = intAttr(site.node, 'group', 1);
  if (dims[1] !== site.dims(1)[1]! * groups) {
    throw nodeError(
      site.node,
      `a kernel of shape [${site.dims(1).join(', ')}] does not fit an input of shape [${dims.join(', ')}]`,
    );
  }
  return [{ dtype, dims: [dims[0]!, site.dims(1)[0]!, ...slid(convWindow(site), dims.slice(2))] }];
};

/** Output sizes of a transposed convolution: (in − 1)·stride + reach + output_padding − pads. */
export const convTranspose: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const window = convWindow(site);
  const extra = intsAttr(
    site.node,
    'output_padding',
    window.kernel.map(() => 0),
  );
  const spatial = hasAttr(site.node, 'output_shape')
    ? intsAttr(site.node, 'output_shape')
    : window.kernel.map((kernel, i) => {
        const reach = (kernel - 1) * window.dilations[i]! + 1;
        return (dims[2 + i]! - 1) * window.strides[i]! + reach + extra[i]! - window.before[i]! - window.after[i]!;
      });
  return [{ dtype, dims: [dims[0]!, site.dims(1)[1]! * intAttr(site.node, 'group', 1), ...spatial] }];
};

export const poolWindow = (site: Pick<ShapeSite, 'node' | 'dims'>): Window =>
  slidingWindow(site.node, site.dims(0).slice(2), intsAttr(site.node, 'kernel_shape'));

/** y, and for MaxPool the positions of the maxima. */
export const pool: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const spatial = slid(poolWindow(site), dims.slice(2), intAttr(site.node, 'ceil_mode', 0) !== 0);
  const out = [...dims.slice(0, 2), ...spatial];
  return [
    { dtype, dims: out },
    { dtype: 'int64', dims: out },
  ];
};

export const globalPool: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  return [{ dtype, dims: dims.map((dim, axis) => (axis < 2 ? dim : 1)) }];
};

/** Sizes are given, or input sizes times scales, rounded down; with `axes` for some axes only. */
export const resize: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const axes = intsAttr(
    site.node,
    'axes',
    dims.map((_, axis) => axis),
  );
  const sizes = site.inputs[3] === undefined ? undefined : site.known(3);
  const scales = sizes === undefined ? site.known(2) : undefined;
  const result = [...dims];
  axes.forEach((axis, i) => {
    result[axis] = sizes?.[i] ?? Math.floor(dims[axis]! * scales![i]!);
  });
  return [{ dtype, dims: result }];
};

/** Blocks of a channel become pixels. */
export const depthToSpace: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const block = intAttr(site.node, 'blocksize');
  return [{ dtype, dims: [dims[0]!, dims[1]! / block ** 2, dims[2]! * block, dims[3]! * block] }];
};

export const spaceToDepth: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const block = intAttr(site.node, 'blocksize');
  return [{ dtype, dims: [dims[0]!, dims[1]! * block ** 2, dims[2]! / block, dims[3]! / block] }];
};

/** The number that smooths a variance; read here so that rules agree on its default. */
export const epsilonOf = (node: Node): number => floatAttr(node, 'epsilon', 1e-5);
