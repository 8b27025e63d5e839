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

/**
 * The window of the convolution whose adjoint a transposed convolution is, and what it adds at the end of each axis. Where the
 * output's size is given (`output_shape`, or `auto_pad`, which wants size·stride), the pads follow from it.
 */
export function convTransposeWindow(site: Pick<ShapeSite, 'node' | 'dims'>): {
  readonly window: Window;
  readonly sizes: readonly number[];
} {
  const { node } = site;
  const spatial = site.dims(0).slice(2);
  const kernel = site.dims(1).slice(2);
  const ones = spatial.map(() => 1);
  const zeros = spatial.map(() => 0);
  const strides = intsAttr(node, 'strides', ones);
  const dilations = intsAttr(node, 'dilations', ones);
  const extra = intsAttr(node, 'output_padding', zeros);
  const full = spatial.map((size, i) => (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 + extra[i]!);
  const auto = stringAttr(node, 'auto_pad', 'NOTSET');
  const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER';
  // ONNX allows batch and channel in front.
  const given = hasAttr(node, 'output_shape') ? intsAttr(node, 'output_shape').slice(-spatial.length) : undefined;
  const sizes = given ?? (same ? spatial.map((size, i) => size * strides[i]!) : undefined);
  if (sizes === undefined) {
    const pads = intsAttr(node, 'pads', [...zeros, ...zeros]);
    const [before, after] = [pads.slice(0, spatial.length), pads.slice(spatial.length)];
    return {
      window: { kernel, strides, dilations, before, after },
      sizes: full.map((size, i) => size - before[i]! - after[i]!),
    };
  }
  const total = full.map((size, i) => Math.max(0, size - sizes[i]!));
  const small = total.map((pad) => Math.floor(pad / 2));
  const large = total.map((pad) => Math.ceil(pad / 2));
  const [before, after] = auto === 'SAME_UPPER' ? [small, large] : [large, small];
  return { window: { kernel, strides, dilations, before, after }, sizes };
}

export const convTranspose: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const { sizes } = convTransposeWindow(site);
  return [{ dtype, dims: [dims[0]!, site.dims(1)[1]! * intAttr(site.node, 'group', 1), ...sizes] }];
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

/** One resized axis: its sizes and the scale that relates their coordinates. */
export interface ResizedAxis {
  readonly axis: number;
  readonly input: number;
  readonly output: number;
  readonly scale: number;
  /** The part of the axis that tf_crop_and_resize takes, in units of the whole. */
  readonly crop: readonly [start: number, end: number];
}

const ASPECT: Readonly<Record<string, (ratios: readonly number[]) => number>> = {
  not_larger: (ratios) => Math.min(...ratios),
  not_smaller: (ratios) => Math.max(...ratios),
};

/** Sizes are given, or input sizes times scales, rounded down; with `axes` for some axes only. */
export function resizedAxes(site: Pick<ShapeSite, 'node' | 'inputs' | 'known' | 'dims'>): readonly ResizedAxis[] {
  const dims = site.dims(0);
  const axes = intsAttr(
    site.node,
    'axes',
    dims.map((_, axis) => axis),
  ).map((axis) => (axis < 0 ? axis + dims.length : axis));
  const filled = (i: number) => site.inputs[i] !== undefined && site.inputs[i].dims[0] !== 0;
  const roi = filled(1) ? site.known(1) : undefined;
  const crop = (i: number): ResizedAxis['crop'] => [roi?.[i] ?? 0, roi?.[i + axes.length] ?? 1];
  if (!filled(3)) {
    const scales = site.known(2);
    // A cropped axis keeps only its part of the pixels.
    const cropped = stringAttr(site.node, 'coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize';
    return axes.map((axis, i) => {
      const [input, scale] = [dims[axis]!, scales[i]!];
      const part = cropped ? crop(i)[1] - crop(i)[0] : 1;
      return { axis, input, output: Math.floor(input * part * scale), scale, crop: crop(i) };
    });
  }
  const sizes = site.known(3);
  const policy = ASPECT[stringAttr(site.node, 'keep_aspect_ratio_policy', 'stretch')];
  const common = policy?.(axes.map((axis, i) => sizes[i]! / dims[axis]!));
  return axes.map((axis, i) => {
    const input = dims[axis]!;
    // Half is rounded up, as ONNX says.
    const output = common === undefined ? sizes[i]! : Math.floor(common * input + 0.5);
    return { axis, input, output, scale: common ?? output / input, crop: crop(i) };
  });
}

export const resize: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const result = [...dims];
  for (const { axis, output } of resizedAxes(site)) result[axis] = output;
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
