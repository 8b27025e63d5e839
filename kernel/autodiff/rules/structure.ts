import { intAttr, stringAttr } from '../../onnx/attributes.ts';
import { normalAxis } from '../../onnx/shapes/site.ts';
import { padAmounts, padSource, permutation, sliceAxes } from '../../onnx/shapes/structure.ts';
import type { SliceAxis } from '../../onnx/shapes/structure.ts';
import { gather } from '../contributions.ts';
import type { Contribution, Piece, Rule, Site } from '../site.ts';

/** Reshape, Flatten, Squeeze, Unsqueeze: the same numbers back in the input's shape. */
export const reshape: Rule = (s) => [() => s.b.reshape(s.dy, s.dims(s.x()))];

export const transpose: Rule = (s) => [
  () => {
    const perm = permutation(s.shape);
    return s.b.transpose(
      s.dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    );
  },
];

/** Each part of the gradient to its input: one Split where several are wanted, one Slice for a single one. */
export const concat: Rule = (s) => {
  const axis = normalAxis(intAttr(s.node, 'axis'), s.dims(s.y()).length);
  const sizes = s.node.inputs.map((input) => s.dims(input)[axis]!);
  let parts: readonly string[] | undefined;
  return s.node.inputs.map((_, i) => () => {
    if (s.node.inputs.filter((_input, k) => s.wanted(k)).length === 1) {
      const start = sizes.slice(0, i).reduce((sum, size) => sum + size, 0);
      return s.b.slice(s.dy, axis, start, sizes[i]!);
    }
    parts ??= s.b.multi(
      'Split',
      [s.dy, s.b.ints(sizes)],
      { axis: { kind: 'int', value: axis } },
      { outputs: sizes.length },
    );
    return parts[i]!;
  });
};

/** A piece for each part that is read. */
export const split: Rule = (s) => [
  () => {
    const axis = normalAxis(intAttr(s.node, 'axis', 0), s.dims(s.x()).length);
    const pieces: Piece[] = [];
    let start = 0;
    s.node.outputs.forEach((output, i) => {
      const gradient = s.grads[i];
      if (gradient !== undefined) pieces.push({ value: s.b.expand(gradient, s.dims(output)), axis, start });
      start += s.dims(output)[axis]!;
    });
    return pieces;
  },
];

/** Puts the elements of a strided slice back among zeros: n elements become n·step with step − 1 zeros after each. */
function spreadOut(s: Site, gradient: string, { axis, step, count }: SliceAxis): string {
  const { b } = s;
  const dims = b.dims(gradient);
  const split = [...dims.slice(0, axis + 1), 1, ...dims.slice(axis + 1)];
  const after = split.map((_, at) => (at === axis + 1 ? step - 1 : 0));
  const padded = b.pad(
    b.reshape(gradient, split),
    split.map(() => 0),
    after,
  );
  return b.reshape(padded, [...dims.slice(0, axis), count * step, ...dims.slice(axis + 1)]);
}

/** The slice's gradient at its place, zero elsewhere. */
export const slice: Rule = (s) => [
  () => {
    const { b } = s;
    const dims = s.dims(s.x());
    const cut = sliceAxes(s.shape).filter(({ axis, count, step }) => step !== 1 || count !== dims[axis]);
    if (cut.length === 0) return s.thinDy;
    if (cut.length === 1 && cut[0]!.step === 1) return { value: s.dy, axis: cut[0]!.axis, start: cut[0]!.start };
    let gradient = s.dy;
    const before = dims.map(() => 0);
    const after = dims.map(() => 0);
    for (const given of cut) {
      let bound = given;
      if (bound.step < 0) {
        gradient = reversed(s, gradient, bound.axis);
        bound = { ...bound, step: -bound.step, start: bound.start + (bound.count - 1) * bound.step };
      }
      if (bound.step > 1) gradient = spreadOut(s, gradient, bound);
      before[bound.axis] = bound.start;
      after[bound.axis] = dims[bound.axis]! - bound.start - bound.count * bound.step;
    }
    return b.pad(gradient, before, after);
  },
];

/** Expand is nothing but broadcasting. */
export const expand: Rule = (s) => [() => s.unbroadcast(s.thinDy, 0)];

/** Sums over the copies: each axis of r·n becomes r × n, and r is summed. */
export const tile: Rule = (s) => [
  () => {
    const repeats = s.shape.known(1);
    const split = s.dims(s.x()).flatMap((dim, axis) => [repeats[axis]!, dim]);
    const axes = repeats.flatMap((count, axis) => (count === 1 ? [] : [2 * axis]));
    if (axes.length === 0) return s.thinDy;
    return s.b.reshape(s.b.sum(s.b.reshape(s.dy, split), axes), s.dims(s.x()));
  },
];

/** Cuts off what was added; what repeats the input (reflect, edge, wrap) comes back to where it was taken from. */
export const pad: Rule = (s) => [
  (): Contribution => {
    const mode = stringAttr(s.node, 'mode', 'constant');
    const amounts = padAmounts(s.shape);
    if (mode === 'constant') {
      return s.b.pad(
        s.dy,
        amounts.map(({ before }) => -before),
        amounts.map(({ after }) => -after),
      );
    }
    let gradient = s.dy;
    amounts.forEach(({ before, after }, axis) => {
      if (before !== 0 || after !== 0) gradient = unrepeated(s, gradient, axis, padSource(s.shape, axis));
    });
    return gradient;
  },
  undefined,
  // What was filled in is the rest of the gradient.
  () => {
    const inside = s.b.op('Pad', [
      s.b.zeros(s.dims(s.x()), s.x()),
      s.x(1),
      s.b.scalar(1, s.x()),
      ...s.node.inputs.slice(3),
    ]);
    const filled = s.b.mul(s.dy, inside);
    return s.b.reshape(
      s.b.sum(
        filled,
        s.dims(filled).map((_, axis) => axis),
      ),
      s.dims(s.x(2)),
    );
  },
];

/** The adjoint of taking these positions along an axis: runs of them (forwards, backwards, or one repeated) come back as pieces. */
function unrepeated(s: Site, gradient: string, axis: number, source: readonly number[]): string {
  const { b } = s;
  const type = { ...b.graph.type(s.x()), dims: b.dims(gradient).with(axis, s.dims(s.x())[axis]!) };
  const pieces: Piece[] = [];
  for (let start = 0; start < source.length;) {
    const step = source.length > start + 1 ? source[start + 1]! - source[start]! : 1;
    let end = start + 1;
    while (end < source.length && Math.abs(step) <= 1 && (source[end] ?? NaN) - (source[end - 1] ?? NaN) === step)
      end++;
    const part = b.slice(gradient, axis, start, end - start);
    const at = Math.min(source[start]!, source[end - 1]!);
    const value = end - start === 1 || step === 1 ? part : step === 0 ? b.sum(part, [axis]) : reversed(s, part, axis);
    pieces.push({ value, axis, start: at });
    start = end;
  }
  return b.expand(gather(b, pieces, type), type.dims);
}

const reversed = (s: Site, x: string, axis: number): string =>
  s.b.op('Slice', [x, ...[[-1], [-(2 ** 62)], [axis], [-1]].map((values) => s.b.ints(values))]);

/** A rearrangement that undoes itself. */
export const reverseSequence: Rule = (s) => [() => s.b.op('ReverseSequence', [s.dy, s.x(1)], s.node.attributes)];

/** Linear, and its own adjoint. */
export const trilu: Rule = (s) => [() => s.b.op('Trilu', [s.dy, ...s.node.inputs.slice(1)], s.node.attributes)];

/** Running sums from the other end. */
export const cumSum: Rule = (s) => [
  () =>
    s.b.op('CumSum', [s.dy, s.x(1)], {
      ...s.node.attributes,
      reverse: { kind: 'int', value: 1 - intAttr(s.node, 'reverse', 0) },
    }),
];

/** The inverse rearrangement: with the same mode, SpaceToDepth undoes DepthToSpace in 'DCR' order. */
export const depthToSpace: Rule = (s) => [
  () => {
    const [n, c, h, w] = s.dims(s.x()) as [number, number, number, number];
    const block = intAttr(s.node, 'blocksize');
    const out = c / block ** 2;
    const apart = s.b.reshape(s.dy, [n, out, h, block, w, block]);
    const channelFirst = stringAttr(s.node, 'mode', 'DCR') === 'CRD';
    return s.b.reshape(s.b.transpose(apart, channelFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), [n, c, h, w]);
  },
];

export const spaceToDepth: Rule = (s) => [
  () => {
    const [n, c, h, w] = s.dims(s.x()) as [number, number, number, number];
    const block = intAttr(s.node, 'blocksize');
    const apart = s.b.reshape(s.dy, [n, block, block, c, h / block, w / block]);
    return s.b.reshape(s.b.transpose(apart, [0, 3, 4, 1, 5, 2]), [n, c, h, w]);
  },
];
