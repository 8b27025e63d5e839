import { hasAttr, intAttr, tensorAttr } from '../attributes.ts';
import { sizeOf } from '../dtype.ts';
import { constantValues } from '../read.ts';
import { ShapeSite, normalAxis } from '../shapes/site.ts';
import { padSource, permutation, sliceAxes } from '../shapes/structure.ts';
import type { FoldRule, FoldSite } from './tensor.ts';
import { broadcastPosition, forEachIndex, pick, stridesOf } from './tensor.ts';

/** The node as shape rules see it, so that both read axes and bounds with the same code. */
const asShapeSite = ({ node, inputs }: FoldSite): ShapeSite =>
  new ShapeSite(node, inputs, (i) => (inputs[i] === undefined ? undefined : Array.from(inputs[i].data)));

/** The same elements under another shape. */
const sameElements: FoldRule = ({ input }) => [input(0).data];

const constantOfShape: FoldRule = ({ node, outputs }) => {
  const value = hasAttr(node, 'value') ? constantValues(tensorAttr(node, 'value'))[0]! : 0;
  return [new Float64Array(sizeOf(outputs[0]!.dims)).fill(value)];
};

const range: FoldRule = ({ input, outputs }) => {
  const [start, delta] = [input(0).data[0]!, input(2).data[0]!];
  return [Float64Array.from({ length: outputs[0]!.dims[0]! }, (_, i) => start + i * delta)];
};

const expand: FoldRule = ({ input, outputs }) => {
  const { dims } = outputs[0]!;
  return [pick(dims, input(0).data, broadcastPosition(input(0).dims, dims.length))];
};

const transpose: FoldRule = (site) => {
  const perm = permutation(asShapeSite(site));
  const strides = stridesOf(site.input(0).dims);
  const at = (index: readonly number[]) => perm.reduce((flat, axis, i) => flat + index[i]! * strides[axis]!, 0);
  return [pick(site.outputs[0]!.dims, site.input(0).data, at)];
};

const concat: FoldRule = ({ node, inputs, outputs }) => {
  const { dims } = outputs[0]!;
  const axis = normalAxis(intAttr(node, 'axis'), dims.length);
  const parts = inputs.flatMap((tensor) => tensor ?? []);
  const result: number[] = [];
  const outer = sizeOf(dims.slice(0, axis));
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const length = sizeOf(part.dims.slice(axis));
      for (let i = 0; i < length; i++) result.push(part.data[row * length + i]!);
    }
  }
  return [result];
};

const split: FoldRule = ({ node, input, outputs }) => {
  const { dims, data } = input(0);
  const axis = normalAxis(intAttr(node, 'axis', 0), dims.length);
  const strides = stridesOf(dims);
  let start = 0;
  return outputs.map((part) => {
    const from = start;
    start += part.dims[axis]!;
    return pick(part.dims, data, (index) =>
      index.reduce((flat, at, i) => flat + (i === axis ? at + from : at) * strides[i]!, 0),
    );
  });
};

const slice: FoldRule = (site) => {
  const { dims, data } = site.input(0);
  const strides = stridesOf(dims);
  const bounds = new Map(sliceAxes(asShapeSite(site)).map((bound) => [bound.axis, bound]));
  const at = (index: readonly number[]) =>
    index.reduce((flat, i, axis) => {
      const bound = bounds.get(axis);
      return flat + (bound === undefined ? i : bound.start + i * bound.step) * strides[axis]!;
    }, 0);
  return [pick(site.outputs[0]!.dims, data, at)];
};

const tile: FoldRule = ({ input, outputs }) => {
  const { dims, data } = input(0);
  const strides = stridesOf(dims);
  return [
    pick(outputs[0]!.dims, data, (index) =>
      index.reduce((flat, i, axis) => flat + (i % dims[axis]!) * strides[axis]!, 0),
    ),
  ];
};

const pad: FoldRule = (site) => {
  const { dims, data } = site.input(0);
  const shapeSite = asShapeSite(site);
  const sources = dims.map((_, axis) => padSource(shapeSite, axis));
  const strides = stridesOf(dims);
  const fill = site.inputs[2]?.data[0] ?? 0;
  const result = new Float64Array(sizeOf(site.outputs[0]!.dims)).fill(fill);
  forEachIndex(site.outputs[0]!.dims, (index, flat) => {
    let from = 0;
    for (const [axis, i] of index.entries()) {
      const source = sources[axis]![i]!;
      if (source < 0) return;
      from += source * strides[axis]!;
    }
    result[flat] = data[from]!;
  });
  return [result];
};

/** Keeps the upper or lower triangle of each matrix. */
const trilu: FoldRule = ({ node, input, inputs }) => {
  const { dims, data } = input(0);
  const upper = intAttr(node, 'upper', 1) !== 0;
  const k = inputs[1]?.data[0] ?? 0;
  const result = Float64Array.from(data);
  forEachIndex(dims, (index, flat) => {
    const diagonal = index.at(-1)! - index.at(-2)!;
    if (upper ? diagonal < k : diagonal > k) result[flat] = 0;
  });
  return [result];
};

export const STRUCTURE: Readonly<Record<string, FoldRule>> = {
  ConstantOfShape: constantOfShape,
  Concat: concat,
  Expand: expand,
  Flatten: sameElements,
  Pad: pad,
  Range: range,
  Reshape: sameElements,
  Slice: slice,
  Split: split,
  Squeeze: sameElements,
  Tile: tile,
  Transpose: transpose,
  Trilu: trilu,
  Unsqueeze: sameElements,
};
