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
      // ScatterND takes no other indices than int64.
      const indices = b.reshape(b.castLike(s.x(1), b.ints([0])), [count, 1]);
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

/** How ScatterND or ScatterElements writes to its places, and how to read what stands there. */
interface Places {
  readonly scatter: (data: string, updates: string, reduction?: string) => string;
  readonly read: (data: string) => string;
}

/**
 * Overwritten places get nothing back, and the updates get what stands at their places. With 'add' both sides get all; with 'mul' the
 * product of the others (y/u for an update u); with 'max' and 'min' the winners share.
 */
function scattered(s: Site, { scatter, read }: Places): ReturnType<Rule> {
  const { b } = s;
  const reduction = stringAttr(s.node, 'reduction', 'none');
  const zero = () => b.scalar(0, s.x());
  const zeros = () => b.zeros(s.dims(s.x(2)), s.x());
  const ones = (like: string) => b.expand(b.scalar(1, like), s.dims(like));
  /** 1 where the old value is the extreme one, and at the updates that are, with how many of all these share a place. */
  const winners = () => {
    const old = b.castLike(b.op('Equal', [s.x(), s.y()]), s.x());
    const updates = b.castLike(b.op('Equal', [s.x(2), read(s.y())]), s.x());
    return { old, updates, share: b.div(s.dy, b.op('Max', [scatter(old, updates, 'add'), b.scalar(1, s.x())])) };
  };
  const rules: Readonly<Record<string, readonly [data: () => string, updates: () => string]>> = {
    none: [() => scatter(s.dy, zeros()), () => read(s.dy)],
    add: [() => s.thinDy, () => read(s.dy)],
    mul: [
      () => b.mul(s.dy, scatter(ones(s.x()), s.x(2), 'mul')),
      () => {
        const safe = b.op('Where', [b.op('Equal', [s.x(2), zero()]), b.scalar(1, s.x()), s.x(2)]);
        return b.div(read(b.mul(s.dy, s.y())), safe);
      },
    ],
    max: [() => b.mul(winners().old, winners().share), () => b.mul(winners().updates, read(winners().share))],
    min: [() => b.mul(winners().old, winners().share), () => b.mul(winners().updates, read(winners().share))],
  };
  const rule = rules[reduction];
  if (rule === undefined) throw nodeError(s.node, `the reduction "${reduction}" of ${s.node.op} is not known`);
  return [rule[0], undefined, rule[1]];
}

export const scatterND: Rule = (s) =>
  scattered(s, {
    scatter: (data, updates, reduction = 'none') =>
      s.b.op('ScatterND', [data, s.x(1), updates], { reduction: text(reduction) }),
    read: (data) => s.b.op('GatherND', [data, s.x(1)]),
  });

export const scatterElements: Rule = (s) => {
  const axis = { axis: int(intAttr(s.node, 'axis', 0)) };
  return scattered(s, {
    scatter: (data, updates, reduction = 'none') =>
      s.b.op('ScatterElements', [data, s.x(1), updates], { ...axis, reduction: text(reduction) }),
    read: (data) => s.b.op('GatherElements', [data, s.x(1)], axis),
  });
};

/** The chosen slices back at their places; without an axis x counts as flat. */
export const compress: Rule = (s) => [
  () => {
    const { b } = s;
    const dims = s.dims(s.x());
    const flat = s.node.attributes.axis === undefined;
    const axis = flat ? 0 : normalAxis(intAttr(s.node, 'axis'), dims.length);
    const chosen = s.shape.known(1).flatMap((truth, i) => (truth === 0 ? [] : [i]));
    const shape = flat ? [sizeOf(dims)] : dims;
    const column = b.constant(
      'int64',
      shape.map((_, at) => (at === axis ? chosen.length : 1)),
      chosen,
    );
    const indices = b.expand(column, s.dims(s.y()));
    return b.reshape(
      b.op('ScatterElements', [b.zeros(shape, s.x()), indices, s.dy], { axis: int(axis), ...addInto }),
      dims,
    );
  },
];

/** The values at the chosen positions. */
export const topK: Rule = (s) => [
  () => {
    const axis = { axis: int(intAttr(s.node, 'axis', -1)) };
    return s.b.op('ScatterElements', [s.b.zeros(s.dims(s.x()), s.x()), s.y(1), s.dy], { ...axis, ...addInto });
  },
];
