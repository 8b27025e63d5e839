import { intAttr, nodeError, stringAttr } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { int, text } from '../../onnx/graph.ts';
import { normalAxis } from '../../onnx/shapes/site.ts';
import type { Contribution, Rule, Site } from '../site.ts';

const addInto = { reduction: text('add') };

/** A run of consecutive rows (or one row) is a piece; any other choice of rows adds them up where they came from. */
export const gather: Rule = (s) => [
  (): Contribution => {
    const { b } = s;
    const dims = s.dims(s.x());
    const axis = normalAxis(intAttr(s.node, 'axis', 0), dims.length);
    const chosen = b.values(s.x(1))?.map((i) => normalAxis(i, dims[axis]!));
    const count = sizeOf(s.dims(s.x(1)));
    const flat = b.reshape(s.dy, [...dims.slice(0, axis), count, ...dims.slice(axis + 1)]);
    if (chosen?.every((i, k) => i === chosen[0]! + k) === true) return { value: flat, axis, start: chosen[0]! };
    if (axis === 0) {
      const indices = b.reshape(s.x(1), [count, 1]);
      return b.op('ScatterND', [b.zeros(dims, s.x()), indices, flat], addInto);
    }
    const column = dims.map((_, at) => (at === axis ? count : 1));
    const indices = b.expand(b.reshape(s.x(1), column), b.dims(flat));
    return b.op('ScatterElements', [b.zeros(dims, s.x()), indices, flat], { axis: int(axis), ...addInto });
  },
];

export const gatherElements: Rule = (s) => [
  () =>
    s.b.op('ScatterElements', [s.b.zeros(s.dims(s.x()), s.x()), s.x(1), s.dy], {
      axis: int(intAttr(s.node, 'axis', 0)),
      ...addInto,
    }),
];

/** Indices of GatherND with the batch axes' own positions in front, so that they address the whole tensor. */
function absoluteIndices(s: Site): string {
  const { b } = s;
  const batch = intAttr(s.node, 'batch_dims', 0);
  const dims = s.dims(s.x(1));
  if (batch === 0) return s.x(1);
  const column = [...dims.slice(0, -1), 1];
  const positions = Array.from({ length: batch }, (_, axis) => {
    const size = dims[axis]!;
    const line = b.constant(
      'int64',
      dims.map((_dim, at) => (at === axis ? size : 1)),
      Array.from({ length: size }, (_v, i) => i),
    );
    return b.expand(line, column);
  });
  return b.op('Concat', [...positions, s.x(1)], { axis: int(-1) });
}

export const gatherND: Rule = (s) => [
  () => s.b.op('ScatterND', [s.b.zeros(s.dims(s.x()), s.x()), absoluteIndices(s), s.dy], addInto),
];

function checkReduction(s: Site): boolean {
  const reduction = stringAttr(s.node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    throw nodeError(
      s.node,
      `${s.node.op} with reduction "${reduction}" has no gradient rule`,
      'Only "none" and "add" are supported',
    );
  }
  return reduction === 'add';
}

/** Overwritten places get nothing back; the updates get what stands at their places. */
export const scatterND: Rule = (s) => {
  const adds = checkReduction(s);
  const zeros = () => s.b.zeros(s.dims(s.x(2)), s.x());
  return [
    () => (adds ? s.thinDy : s.b.op('ScatterND', [s.dy, s.x(1), zeros()])),
    undefined,
    () => s.b.op('GatherND', [s.dy, s.x(1)]),
  ];
};

export const scatterElements: Rule = (s) => {
  const adds = checkReduction(s);
  const axis = { axis: int(intAttr(s.node, 'axis', 0)) };
  const zeros = () => s.b.zeros(s.dims(s.x(2)), s.x());
  return [
    () => (adds ? s.thinDy : s.b.op('ScatterElements', [s.dy, s.x(1), zeros()], axis)),
    undefined,
    () => s.b.op('GatherElements', [s.dy, s.x(1)], axis),
  ];
};

/** The values at the chosen positions. */
export const topK: Rule = (s) => [
  () => {
    const axis = { axis: int(intAttr(s.node, 'axis', -1)) };
    return s.b.op('ScatterElements', [s.b.zeros(s.dims(s.x()), s.x()), s.y(1), s.dy], { ...axis, ...addInto });
  },
];
