import { sizeOf } from '../../onnx/dtype.ts';
import { int } from '../../onnx/graph.ts';
import { reducedAxes } from '../../onnx/shapes/reductions.ts';
import type { Rule, Site } from '../site.ts';

/** The input's shape with the reduced axes as 1. */
const keptDims = (s: Site): readonly number[] => {
  const axes = reducedAxes(s.shape);
  return s.dims(s.x()).map((dim, axis) => (axes.includes(axis) ? 1 : dim));
};

/** A value of the output's shape with the reduced axes kept: it broadcasts against the input. */
const kept = (s: Site, value: string): string => s.b.reshape(value, keptDims(s));

/** The same for every summed element. */
export const reduceSum: Rule = (s) => [() => kept(s, s.dy)];

/** 1/n of it for every averaged element. */
export const reduceMean: Rule = (s) => [() => kept(s, s.b.scale(s.dy, sizeOf(s.dims(s.y())) / sizeOf(s.dims(s.x()))))];

/** To the elements of x that equal an extreme y over these axes; several share. */
function toExtreme(s: Site, y: string, dy: string, axes: readonly number[]): string {
  const { b } = s;
  const chosen = b.castLike(b.op('Equal', [s.x(), y]), s.x());
  return b.mul(chosen, b.div(dy, b.sum(chosen, axes)));
}

/** To the largest (smallest) element; equal ones share. */
export const reduceExtreme: Rule = (s) => [() => toExtreme(s, kept(s, s.y()), kept(s, s.dy), reducedAxes(s.shape))];

/** To the largest pixel of each channel. */
export const globalMaxPool: Rule = (s) => [
  () =>
    toExtreme(
      s,
      s.y(),
      s.dy,
      s.dims(s.x()).flatMap((_, axis) => (axis < 2 ? [] : [axis])),
    ),
];

/** d Σx² = 2x·dx */
export const reduceSumSquare: Rule = (s) => [() => s.b.mul(s.b.scale(kept(s, s.dy), 2), s.x())];

/** d‖x‖ = x/‖x‖·dx, and 0 at 0 */
export const reduceL2: Rule = (s) => [
  () => {
    const { b } = s;
    const norm = kept(s, s.y());
    const safe = b.op('Where', [b.op('Equal', [norm, b.scalar(0, norm)]), b.scalar(1, norm), norm]);
    return b.mul(b.div(kept(s, s.dy), safe), s.x());
  },
];

/** d Σ|x| = sign(x)·dx */
export const reduceL1: Rule = (s) => [() => s.b.mul(kept(s, s.dy), s.b.op('Sign', [s.x()]))];

/** d ln Σx = dx/Σx */
export const reduceLogSum: Rule = (s) => [() => s.b.mul(kept(s, s.dy), s.b.op('Exp', [s.b.scale(kept(s, s.y()), -1)]))];

/** d ln Σeˣ = eˣ⁻ʸ·dx */
export const reduceLogSumExp: Rule = (s) => [
  () => s.b.mul(kept(s, s.dy), s.b.op('Exp', [s.b.sub(s.x(), kept(s, s.y()))])),
];

/**
 * d Πx = Π of the others·dx. The product of the elements that are not 0 serves: without a 0 it is divided by x; with one, only that
 * element has a slope; with more, none.
 */
export const reduceProd: Rule = (s) => [
  () => {
    const { b } = s;
    const [zero, one] = [b.scalar(0, s.x()), b.scalar(1, s.x())];
    const isZero = b.op('Equal', [s.x(), zero]);
    const safe = b.op('Where', [isZero, one, s.x()]);
    const axes = reducedAxes(s.shape);
    const rest = b.op('ReduceProd', [safe, b.ints(axes)], { keepdims: int(1) });
    const zeros = b.sum(b.castLike(isZero, s.x()), axes);
    const alone = b.op('Equal', [zeros, b.castLike(isZero, s.x())]);
    return b.op('Where', [alone, b.mul(kept(s, s.dy), b.div(rest, safe)), zero]);
  },
];
