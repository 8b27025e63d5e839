import { intAttr, stringAttr } from '../attributes.ts';
import type { DType } from '../dtype.ts';
import { sizeOf } from '../dtype.ts';
import { ShapeSite, normalAxis } from '../shapes/site.ts';
import { reducedAxes } from '../shapes/reductions.ts';
import type { FoldRule, FoldSite } from './tensor.ts';
import { forEachIndex, pick, stored, stridesOf } from './tensor.ts';

const wrap = (i: number, dim: number): number => (i < 0 ? i + dim : i);

const gather: FoldRule = ({ node, input, outputs }) => {
  const { dims, data } = input(0);
  const indices = input(1);
  const axis = normalAxis(intAttr(node, 'axis', 0), dims.length);
  const strides = stridesOf(dims);
  const indexStrides = stridesOf(indices.dims);
  const rank = indices.dims.length;
  const at = (index: readonly number[]): number => {
    let which = 0;
    for (let i = 0; i < rank; i++) which += index[axis + i]! * indexStrides[i]!;
    let flat = wrap(indices.data[which]!, dims[axis]!) * strides[axis]!;
    for (let i = 0; i < axis; i++) flat += index[i]! * strides[i]!;
    for (let i = axis + 1; i < dims.length; i++) flat += index[i + rank - 1]! * strides[i]!;
    return flat;
  };
  return [pick(outputs[0]!.dims, data, at)];
};

const gatherElements: FoldRule = ({ node, input, outputs }) => {
  const { dims, data } = input(0);
  const axis = normalAxis(intAttr(node, 'axis', 0), dims.length);
  const strides = stridesOf(dims);
  const result = new Float64Array(sizeOf(outputs[0]!.dims));
  forEachIndex(outputs[0]!.dims, (index, flat) => {
    const chosen = wrap(input(1).data[flat]!, dims[axis]!);
    result[flat] = data[index.reduce((sum, i, at) => sum + (at === axis ? chosen : i) * strides[at]!, 0)]!;
  });
  return [result];
};

const gatherND: FoldRule = ({ node, input }) => {
  const { dims, data } = input(0);
  const indices = input(1);
  const batch = intAttr(node, 'batch_dims', 0);
  const depth = indices.dims.at(-1)!;
  const strides = stridesOf(dims);
  const length = sizeOf(dims.slice(batch + depth));
  const lookups = sizeOf(indices.dims.slice(0, -1));
  const perBatch = lookups / sizeOf(dims.slice(0, batch));
  const result: number[] = [];
  for (let i = 0; i < lookups; i++) {
    let from = Math.floor(i / perBatch) * (batch === 0 ? 0 : strides[batch - 1]!);
    for (let k = 0; k < depth; k++) from += wrap(indices.data[i * depth + k]!, dims[batch + k]!) * strides[batch + k]!;
    for (let j = 0; j < length; j++) result.push(data[from + j]!);
  }
  return [result];
};

const REDUCTIONS: Readonly<Record<string, (old: number, update: number) => number>> = {
  none: (_old, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  min: (old, update) => Math.min(old, update),
  max: (old, update) => Math.max(old, update),
};

const scatterND: FoldRule = ({ node, input, outputs }) => {
  const combine = REDUCTIONS[stringAttr(node, 'reduction', 'none')]!;
  const store = stored(outputs[0]!.dtype);
  const { dims, data } = input(0);
  const indices = input(1);
  const depth = indices.dims.at(-1)!;
  const strides = stridesOf(dims);
  const length = sizeOf(dims.slice(depth));
  const result = Float64Array.from(data);
  for (let i = 0; i < sizeOf(indices.dims.slice(0, -1)); i++) {
    let to = 0;
    for (let k = 0; k < depth; k++) to += wrap(indices.data[i * depth + k]!, dims[k]!) * strides[k]!;
    for (let j = 0; j < length; j++) result[to + j] = store(combine(result[to + j]!, input(2).data[i * length + j]!));
  }
  return [result];
};

const cumSum: FoldRule = ({ node, input }) => {
  const { dims, data, dtype } = input(0);
  const axis = normalAxis(input(1).data[0]!, dims.length);
  const stride = stridesOf(dims)[axis]!;
  const size = dims[axis]!;
  const exclusive = intAttr(node, 'exclusive', 0) !== 0;
  const reverse = intAttr(node, 'reverse', 0) !== 0;
  const result = new Float64Array(data.length);
  const store = stored(dtype);
  forEachIndex(
    dims.map((dim, i) => (i === axis ? 1 : dim)),
    (index) => {
      const base = index.reduce((flat, i, at) => flat + i * stridesOf(dims)[at]!, 0);
      let sum = 0;
      for (let step = 0; step < size; step++) {
        const flat = base + (reverse ? size - 1 - step : step) * stride;
        const next = store(sum + data[flat]!);
        result[flat] = exclusive ? sum : next;
        sum = next;
      }
    },
  );
  return [result];
};

/** One column for each element that is not 0: its index along each axis. */
const nonZero: FoldRule = ({ input }) => {
  const { dims, data } = input(0);
  const columns: number[][] = [];
  forEachIndex(dims, (index, flat) => {
    if (data[flat] !== 0) columns.push([...index]);
  });
  return [dims.flatMap((_, axis) => columns.map((index) => index[axis]!))];
};

const oneHot: FoldRule = ({ node, input, outputs }) => {
  const { dims } = outputs[0]!;
  const axis = normalAxis(intAttr(node, 'axis', -1), dims.length);
  const [off, on] = [input(2).data[0]!, input(2).data[1]!];
  const strides = stridesOf(input(0).dims);
  const result = new Float64Array(sizeOf(dims));
  forEachIndex(dims, (index, flat) => {
    const rest = index.filter((_, i) => i !== axis);
    const wanted = wrap(input(0).data[rest.reduce((sum, i, at) => sum + i * strides[at]!, 0)]!, dims[axis]!);
    result[flat] = index[axis] === wanted ? on : off;
  });
  return [result];
};

/** What a maximum and a minimum over nothing are, where the type has no infinities. */
const LIMITS: Readonly<Partial<Record<DType, readonly [low: number, high: number]>>> = {
  bool: [0, 1],
  int8: [-128, 127],
  uint8: [0, 255],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
};

const reduce =
  (
    start: number,
    step: (sum: number, x: number) => number,
    finish: (sum: number, count: number) => number = (sum) => sum,
  ): FoldRule =>
  (site: FoldSite) => {
    const { dims, data } = site.input(0);
    const shapeSite = new ShapeSite(site.node, site.inputs, (i) => Array.from(site.inputs[i]?.data ?? []));
    const axes = reducedAxes(shapeSite);
    const kept = dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    const strides = stridesOf(kept);
    const [low, high] = LIMITS[site.outputs[0]!.dtype] ?? [-Infinity, Infinity];
    const result = new Float64Array(sizeOf(kept)).fill(Math.min(Math.max(start, low), high));
    forEachIndex(dims, (index, flat) => {
      const to = index.reduce((sum, i, axis) => sum + (axes.includes(axis) ? 0 : i * strides[axis]!), 0);
      result[to] = step(result[to]!, data[flat]!);
    });
    const store = stored(site.outputs[0]!.dtype);
    return [result.map((sum) => store(finish(sum, data.length / result.length)))];
  };

const argReduce =
  (better: (a: number, b: number) => boolean): FoldRule =>
  ({ node, input }) => {
    const { dims, data } = input(0);
    const axis = normalAxis(intAttr(node, 'axis', 0), dims.length);
    const strides = stridesOf(dims);
    const last = intAttr(node, 'select_last_index', 0) !== 0;
    const result: number[] = [];
    forEachIndex(
      dims.map((dim, i) => (i === axis ? 1 : dim)),
      (index) => {
        const base = index.reduce((flat, i, at) => flat + i * strides[at]!, 0);
        let best = 0;
        for (let i = 1; i < dims[axis]!; i++) {
          const [now, before] = [data[base + i * strides[axis]!]!, data[base + best * strides[axis]!]!];
          if (better(now, before) || (last && now === before)) best = i;
        }
        result.push(best);
      },
    );
    return [result];
  };

/** A small matrix product, which RoPE tables need (inverse frequencies × positions). */
const matMul: FoldRule = ({ input, outputs }) => {
  const [a, b] = [input(0), input(1)];
  const { dims, dtype } = outputs[0]!;
  const aDims = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const bDims = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [rows, inner, cols] = [aDims.at(-2)!, aDims.at(-1)!, bDims.at(-1)!];
  const stack = dims.slice(0, dims.length - (a.dims.length === 1 ? 0 : 1) - (b.dims.length === 1 ? 0 : 1));
  const store = stored(dtype);
  const at = (own: readonly number[], index: readonly number[]) => {
    const outer = own.slice(0, -2);
    const strides = stridesOf(outer);
    return outer.reduce(
      (flat, dim, i) => flat + (dim === 1 ? 0 : index[i + stack.length - outer.length]! * strides[i]!),
      0,
    );
  };
  const result: number[] = [];
  forEachIndex(stack, (index) => {
    const [fromA, fromB] = [at(aDims, index) * rows * inner, at(bDims, index) * inner * cols];
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cols; c++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += a.data[fromA + r * inner + k]! * b.data[fromB + k * cols + c]!;
        result.push(store(sum));
      }
    }
  });
  return [result];
};

export const INDEXING: Readonly<Record<string, FoldRule>> = {
  ArgMax: argReduce((a, b) => a > b),
  ArgMin: argReduce((a, b) => a < b),
  CumSum: cumSum,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  MatMul: matMul,
  NonZero: nonZero,
  OneHot: oneHot,
  ReduceMax: reduce(-Infinity, Math.max),
  ReduceMean: reduce(
    0,
    (sum, x) => sum + x,
    (sum, count) => sum / count,
  ),
  ReduceMin: reduce(Infinity, Math.min),
  ReduceProd: reduce(1, (sum, x) => sum * x),
  ReduceSum: reduce(0, (sum, x) => sum + x),
  ScatterND: scatterND,
};
