import { sizeOf } from '../../onnx/dtype.ts';
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

/** To the largest (smallest) element; equal ones share. */
export const reduceExtreme: Rule = (s) => [
  () => {
    const { b } = s;
    const chosen = b.castLike(b.op('Equal', [s.x(), kept(s, s.y())]), s.x());
    const count = b.sum(chosen, reducedAxes(s.shape));
    return b.mul(chosen, b.div(kept(s, s.dy), count));
  },
];

/** d Σx² = 2x·dx */
export const reduceSumSquare: Rule = (s) => [() => s.b.mul(s.b.scale(kept(s, s.dy), 2), s.x())];

/** d‖x‖ = x/‖x‖·dx */
export const reduceL2: Rule = (s) => [() => s.b.mul(s.b.div(kept(s, s.dy), kept(s, s.y())), s.x())];

/** d Σ|x| = sign(x)·dx */
export const reduceL1: Rule = (s) => [() => s.b.mul(kept(s, s.dy), s.b.op('Sign', [s.x()]))];

/** d ln Σeˣ = eˣ⁻ʸ·dx */
export const reduceLogSumExp: Rule = (s) => [
  () => s.b.mul(kept(s, s.dy), s.b.op('Exp', [s.b.sub(s.x(), kept(s, s.y()))])),
];

/** d Πx = y/x·dx, for products without a zero */
export const reduceProd: Rule = (s) => [() => s.b.div(s.b.mul(kept(s, s.dy), kept(s, s.y())), s.x())];
