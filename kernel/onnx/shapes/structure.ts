import { hasAttr, intAttr, intsAttr, nodeError, stringAttr, tensorAttr } from '../attributes.ts';
import { sizeOf } from '../dtype.ts';
import type { ShapeRule, ShapeSite } from './site.ts';
import { broadcast, normalAxis } from './site.ts';

export const shape: ShapeRule = (site) => {
  const rank = site.dims(0).length;
  const clamp = (axis: number) => Math.min(Math.max(normalAxis(axis, rank), 0), rank);
  const start = clamp(intAttr(site.node, 'start', 0));
  const end = clamp(intAttr(site.node, 'end', rank));
  return [{ dtype: 'int64', dims: [Math.max(0, end - start)] }];
};

export const size: ShapeRule = () => [{ dtype: 'int64', dims: [] }];

export const constantOfShape: ShapeRule = (site) => [
  { dtype: hasAttr(site.node, 'value') ? tensorAttr(site.node, 'value').dtype : 'float32', dims: site.known(0) },
];

export const range: ShapeRule = (site) => {
  const [start, limit, delta] = [site.known(0)[0]!, site.known(1)[0]!, site.known(2)[0]!];
  return [{ dtype: site.type(0).dtype, dims: [Math.max(0, Math.ceil((limit - start) / delta))] }];
};

/** 0 keeps the input's dimension, −1 takes what is left. */
export const reshape: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const wanted = site.known(1);
  const zeroIsZero = intAttr(site.node, 'allowzero', 0) !== 0;
  const result = wanted.map((dim, axis) => (dim === 0 && !zeroIsZero ? dims[axis]! : dim));
  const open = result.indexOf(-1);
  if (open >= 0) {
    const rest = result.reduce((product, dim) => (dim === -1 ? product : product * dim), 1);
    result[open] = rest === 0 ? 0 : sizeOf(dims) / rest;
  }
  if (sizeOf(result) !== sizeOf(dims)) {
    throw nodeError(
      site.node,
      `a tensor of shape [${dims.join(', ')}] cannot take the shape [${wanted.join(', ')}]`,
      'Check the dimensions that were bound',
    );
  }
  return [{ dtype, dims: result }];
};

export const flatten: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const axis = normalAxis(intAttr(site.node, 'axis', 1), dims.length);
  return [{ dtype, dims: [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))] }];
};

export const squeeze: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const axes = site.optional(1)?.map((axis) => normalAxis(axis, dims.length));
  return [{ dtype, dims: dims.filter((dim, axis) => (axes === undefined ? dim !== 1 : !axes.includes(axis))) }];
};

export const unsqueeze: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const given = site.known(1);
  const rank = dims.length + given.length;
  const axes = given.map((axis) => normalAxis(axis, rank));
  const rest = [...dims];
  return [{ dtype, dims: Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : rest.shift()!)) }];
};

/** The permutation of a Transpose; by default the axes are reversed. */
export const permutation = (site: Pick<ShapeSite, 'node' | 'dims'>): readonly number[] =>
  intsAttr(
    site.node,
    'perm',
    site.dims(0).map((_, axis) => site.dims(0).length - 1 - axis),
  );

export const transpose: ShapeRule = (site) => [
  { dtype: site.type(0).dtype, dims: permutation(site).map((axis) => site.dims(0)[axis]!) },
];

export const concat: ShapeRule = (site) => {
  const dims = [...site.dims(0)];
  const axis = normalAxis(intAttr(site.node, 'axis'), dims.length);
  dims[axis] = site.inputs.reduce((sum, _, i) => sum + site.dims(i)[axis]!, 0);
  for (const [i, input] of site.inputs.entries()) {
    if (input?.dims.some((dim, at) => at !== axis && dim !== dims[at]) === true) {
      throw nodeError(
        site.node,
        `input ${String(i)} of shape [${input.dims.join(', ')}] cannot join shape [${dims.join(', ')}] along axis ${String(axis)}`,
        'Check the dimensions that were bound',
      );
    }
  }
  return [{ dtype: site.type(0).dtype, dims }];
};

/** Sizes of the parts that a Split makes. */
export function splitSizes(site: Pick<ShapeSite, 'node' | 'inputs' | 'optional' | 'dims'>): readonly number[] {
  const given = site.inputs.length > 1 ? site.optional(1) : undefined;
  if (given !== undefined) return given;
  const dims = site.dims(0);
  const total = dims[normalAxis(intAttr(site.node, 'axis', 0), dims.length)]!;
  const parts = intAttr(site.node, 'num_outputs', site.node.outputs.length);
  const part = Math.ceil(total / parts);
  return Array.from({ length: parts }, (_, i) => Math.min(part, total - i * part));
}

export const split: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const axis = normalAxis(intAttr(site.node, 'axis', 0), dims.length);
  return splitSizes(site).map((part) => ({ dtype, dims: dims.map((dim, i) => (i === axis ? part : dim)) }));
};

/** One axis of a Slice after clamping: `count` elements from `start` in steps of `step`. */
export interface SliceAxis {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

export function sliceAxes(site: Pick<ShapeSite, 'inputs' | 'known' | 'optional' | 'dims'>): readonly SliceAxis[] {
  const dims = site.dims(0);
  const starts = site.known(1);
  const ends = site.known(2);
  const axes = site.optional(3) ?? starts.map((_, i) => i);
  const steps = site.optional(4) ?? starts.map(() => 1);
  return axes.map((given, i) => {
    const axis = normalAxis(given, dims.length);
    const dim = dims[axis]!;
    const step = steps[i]!;
    // A negative step walks down and may stop before 0, which is written as −1 − dim or less.
    const clamp = (at: number) =>
      Math.min(Math.max(at < 0 ? at + dim : at, step > 0 ? 0 : -1), step > 0 ? dim : dim - 1);
    const start = clamp(starts[i]!);
    return { axis, start, step, count: Math.max(0, Math.ceil((clamp(ends[i]!) - start) / step)) };
  });
}

export const slice: ShapeRule = (site) => {
  const dims = [...site.dims(0)];
  for (const { axis, count } of sliceAxes(site)) dims[axis] = count;
  return [{ dtype: site.type(0).dtype, dims }];
};

export const expand: ShapeRule = (site) => {
  const dims = broadcast(site.dims(0), site.known(1));
  if (dims === undefined) {
    throw nodeError(
      site.node,
      `shape [${site.dims(0).join(', ')}] cannot be expanded to [${site.known(1).join(', ')}]`,
    );
  }
  return [{ dtype: site.type(0).dtype, dims }];
};

export const tile: ShapeRule = (site) => {
  const repeats = site.known(1);
  return [{ dtype: site.type(0).dtype, dims: site.dims(0).map((dim, axis) => dim * repeats[axis]!) }];
};

/** Elements added before and after each axis (negative: removed). */
export function padAmounts(
  site: Pick<ShapeSite, 'inputs' | 'known' | 'optional' | 'dims'>,
): readonly { readonly before: number; readonly after: number }[] {
  const rank = site.dims(0).length;
  const pads = site.known(1);
  const axes = (site.optional(3) ?? Array.from({ length: rank }, (_, i) => i)).map((axis) => normalAxis(axis, rank));
  const amounts = Array.from({ length: rank }, () => ({ before: 0, after: 0 }));
  axes.forEach((axis, i) => {
    amounts[axis] = { before: pads[i]!, after: pads[i + axes.length]! };
  });
  return amounts;
}

/** Which input position each output position of a Pad along an axis shows; −1 where it shows the constant. */
export function padSource(
  site: Pick<ShapeSite, 'node' | 'inputs' | 'known' | 'optional' | 'dims'>,
  axis: number,
): readonly number[] {
  const dim = site.dims(0)[axis]!;
  const { before, after } = padAmounts(site)[axis]!;
  // Negative amounts cut the input first.
  const first = Math.max(0, -before);
  const length = dim - first - Math.max(0, -after);
  const wrap = (at: number, period: number) => ((at % period) + period) % period;
  const places: Readonly<Record<string, (at: number) => number>> = {
    constant: (at) => (at >= 0 && at < length ? at : -1 - first),
    edge: (at) => Math.min(Math.max(at, 0), length - 1),
    wrap: (at) => wrap(at, length),
    reflect: (at) => (length === 1 ? 0 : length - 1 - Math.abs(length - 1 - wrap(at, 2 * length - 2))),
  };
  const mode = stringAttr(site.node, 'mode', 'constant');
  const place = places[mode];
  if (place === undefined) throw nodeError(site.node, `the Pad mode "${mode}" is not known`);
  return Array.from({ length: dim + before + after }, (_, i) => first + place(i - Math.max(0, before)));
}

export const pad: ShapeRule = (site) => {
  const amounts = padAmounts(site);
  return [
    {
      dtype: site.type(0).dtype,
      dims: site.dims(0).map((dim, axis) => dim + amounts[axis]!.before + amounts[axis]!.after),
    },
  ];
};
