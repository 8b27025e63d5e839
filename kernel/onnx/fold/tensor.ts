import type { DType } from '../dtype.ts';
import { sizeOf } from '../dtype.ts';
import type { Node, ValueType } from '../graph.ts';

/** A small tensor whose values are known before the graph runs. Booleans are 0 and 1. */
export interface StaticTensor extends ValueType {
  readonly data: ArrayLike<number>;
}

/** One node to evaluate: its inputs, and the types that the shape rules give its outputs. */
export interface FoldSite {
  readonly node: Node;
  readonly inputs: readonly (StaticTensor | undefined)[];
  readonly outputs: readonly ValueType[];
  /** A required input. */
  readonly input: (i: number) => StaticTensor;
}

/** The values of each output, in the element type of the output. */
export type FoldRule = (site: FoldSite) => readonly ArrayLike<number>[];

/** Distance between neighbours along each axis of a row-major tensor. */
export function stridesOf(dims: readonly number[]): readonly number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  return strides;
}

/** Calls `visit` for each index of a shape in row-major order. The array is reused: read it, do not keep it. */
export function forEachIndex(dims: readonly number[], visit: (index: readonly number[], flat: number) => void): void {
  const index = dims.map(() => 0);
  const count = sizeOf(dims);
  for (let flat = 0; flat < count; flat++) {
    visit(index, flat);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < dims[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** Builds an output by saying, for each of its indices, which flat element of a source it shows. */
export function pick(
  dims: readonly number[],
  source: ArrayLike<number>,
  at: (index: readonly number[]) => number,
): Float64Array {
  const result = new Float64Array(sizeOf(dims));
  forEachIndex(dims, (index, flat) => {
    result[flat] = source[at(index)]!;
  });
  return result;
}

/** Flat position in a tensor that is broadcast to a shape of `rank` axes. */
export function broadcastPosition(dims: readonly number[], rank: number): (index: readonly number[]) => number {
  const strides = stridesOf(dims);
  const shift = rank - dims.length;
  return (index) =>
    dims.reduce((flat, dim, axis) => (dim === 1 ? flat : flat + index[axis + shift]! * strides[axis]!), 0);
}

/** What a result becomes when it is stored as this type. */
export const stored = (dtype: DType): ((value: number) => number) =>
  dtype === 'float32'
    ? Math.fround
    : dtype === 'bool'
      ? (value) => (value === 0 ? 0 : 1)
      : dtype.includes('int')
        ? Math.trunc
        : (value) => value;
