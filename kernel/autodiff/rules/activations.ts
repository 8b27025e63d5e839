import { floatAttr, nodeError, stringAttr } from '../../onnx/attributes.ts';
import type { Builder } from '../../onnx/builder.ts';
import { float } from '../../onnx/graph.ts';
import type { Rule, Site } from '../site.ts';
import { inStrips } from '../strips.ts';

/** σ' = σ(1 − σ) */
export const sigmoid: Rule = (s) => [
  () => {
    const t = s.b.mul(s.thinDy, s.y());
    return s.b.sub(t, s.b.mul(t, s.y()));
  },
];

/** tanh' = 1 − tanh² */
export const tanh: Rule = (s) => [() => s.b.sub(s.thinDy, s.b.mul(s.thinDy, s.b.mul(s.y(), s.y())))];

const wherePositive = (s: Site, yes: string, no: string): string =>
  s.b.op('Where', [s.b.op('Greater', [s.x(), s.b.scalar(0, s.x())]), yes, no]);

export const relu: Rule = (s) => [() => wherePositive(s, s.thinDy, s.b.scalar(0, s.x()))];

export const leakyRelu: Rule = (s) => [
  () => wherePositive(s, s.thinDy, s.b.scale(s.thinDy, floatAttr(s.node, 'alpha', 0.01))),
];

/** x where positive, else α(eˣ − 1), whose slope is y + α */
export const elu: Rule = (s) => [
  () => {
    const slope = s.b.add(s.y(), s.b.scalar(floatAttr(s.node, 'alpha', 1), s.y()));
    return wherePositive(s, s.thinDy, s.b.mul(s.thinDy, slope));
  },
];

/** x where positive, else α(exp(x/α) − 1), whose slope is y/α + 1 */
export const celu: Rule = (s) => [
  () => {
    const slope = s.b.add(s.b.scale(s.y(), 1 / floatAttr(s.node, 'alpha', 1)), s.b.scalar(1, s.y()));
    return wherePositive(s, s.thinDy, s.b.mul(s.thinDy, slope));
  },
];

/** γx where positive, else γα(eˣ − 1), whose slope is y + γα */
export const selu: Rule = (s) => [
  () => {
    const gamma = floatAttr(s.node, 'gamma', 1.0507009873554805);
    const slope = s.b.add(s.y(), s.b.scalar(gamma * floatAttr(s.node, 'alpha', 1.6732632423543772), s.y()));
    return wherePositive(s, s.b.scale(s.thinDy, gamma), s.b.mul(s.thinDy, slope));
  },
];

/** x where positive, else x·a with a slope for each channel that broadcasts to x */
export const pRelu: Rule = (s) => [
  () => wherePositive(s, s.thinDy, s.b.mul(s.thinDy, s.x(1))),
  () => s.unbroadcast(wherePositive(s, s.b.scalar(0, s.x()), s.b.mul(s.thinDy, s.x())), 1),
];

/** x/(1 + |x|) has the slope 1/(1 + |x|)² */
export const softsign: Rule = (s) => [
  () => {
    const root = s.b.add(s.b.op('Abs', [s.x()]), s.b.scalar(1, s.x()));
    return s.b.div(s.thinDy, s.b.mul(root, root));
  },
];

/** y = x·σ with σ = σ(αx): y' = σ + αy(1 − σ) */
export const swish: Rule = (s) => [
  () => {
    const alpha = floatAttr(s.node, 'alpha', 1);
    const gate = s.b.op('Sigmoid', [s.b.scale(s.x(), alpha)]);
    const rest = s.b.mul(s.b.scale(s.y(), alpha), s.b.sub(s.b.scalar(1, gate), gate));
    return s.b.mul(s.thinDy, s.b.add(gate, rest));
  },
];

/** x above α, else 0 */
export const thresholdedRelu: Rule = (s) => [
  () => {
    const above = s.b.op('Greater', [s.x(), s.b.scalar(floatAttr(s.node, 'alpha', 1), s.x())]);
    return s.b.op('Where', [above, s.thinDy, s.b.scalar(0, s.x())]);
  },
];

/** 0 between −λ and λ; beyond, x moved by a constant */
export const shrink: Rule = (s) => [
  () => {
    const limit = s.b.scalar(floatAttr(s.node, 'lambd', 0.5), s.x());
    return s.b.op('Where', [s.b.op('Greater', [s.b.op('Abs', [s.x()]), limit]), s.thinDy, s.b.scalar(0, s.x())]);
  },
];

/** ln(1 + eˣ)' = σ(x) */
export const softplus: Rule = (s) => [() => s.b.mul(s.thinDy, s.b.op('Sigmoid', [s.x()]))];

/** α inside the open interval where the output is neither 0 nor 1 */
export const hardSigmoid: Rule = (s) => [
  () => {
    const inside = s.b.op('And', [
      s.b.op('Greater', [s.y(), s.b.scalar(0, s.y())]),
      s.b.op('Less', [s.y(), s.b.scalar(1, s.y())]),
    ]);
    return s.b.op('Where', [inside, s.b.scale(s.thinDy, floatAttr(s.node, 'alpha', 0.2)), s.b.scalar(0, s.y())]);
  },
];

/** y = x·h(x) with h = clip(x/6 + ½, 0, 1): y' = clip(x/3 + ½) where |x| < 3, else h */
export const hardSwish: Rule = (s) => [
  () => {
    const x = s.x();
    const hard = s.b.op('Clip', [s.b.add(s.b.scale(x, 1 / 6), s.b.scalar(0.5, x)), s.b.scalar(0, x), s.b.scalar(1, x)]);
    const inside = s.b.op('Less', [s.b.op('Abs', [x]), s.b.scalar(3, x)]);
    const slope = s.b.op('Where', [inside, s.b.add(s.b.scale(x, 1 / 3), s.b.scalar(0.5, x)), hard]);
    return s.b.mul(s.thinDy, slope);
  },
];

/** y = x·tanh(s), s = softplus(x): y' = tanh s + x·σ(x)·(1 − tanh² s) */
export const mish: Rule = (s) => [
  () => {
    const t = s.b.op('Tanh', [s.b.op('Softplus', [s.x()])]);
    const rest = s.b.sub(s.b.scalar(1, t), s.b.mul(t, t));
    return s.b.mul(s.thinDy, s.b.add(t, s.b.mul(s.b.mul(s.x(), s.b.op('Sigmoid', [s.x()])), rest)));
  },
];

/** αx + β in one pass over memory, of what this keeps in [0, 1]: HardSigmoid clips to that. */
const affine = (b: Builder, x: string, alpha: number, beta: number): string =>
  b.op('HardSigmoid', [x], { alpha: float(alpha), beta: float(beta) });

/**
 * Φ(x) + x·φ(x), with Φ the normal distribution function and φ its density. Every pass over memory counts: Φ = ½e + ½ is `affine`, and 1/√2π
 * goes into the exponent.
 */
function geluSlope(b: Builder, x: string): string {
  const t = b.scale(x, Math.SQRT1_2);
  const cdf = affine(b, b.op('Erf', [t]), 0.5, 0.5);
  const density = b.op('Exp', [b.sub(b.scalar(-0.5 * Math.log(2 * Math.PI), t), b.mul(t, t))]);
  return b.add(cdf, b.mul(x, density));
}

/**
 * y = x·σ(v), v = 2c·x(1 + kx²), c = √(2/π), k = 0.044715, which is ½x(1 + tanh(v/2)): y' = σ + σ·(1 − σ)·2c·x(1 + 3kx²).
 * A 64th of 1 + kx² and of 1 + 3kx² leaves [0, 1] only beyond |x| = 21, where σ is 0 or 1 and what it is multiplied by no longer counts.
 */
function tanhGeluSlope(b: Builder, x: string): string {
  const k = 0.044715;
  // One pass for both products: `scale` would put one behind each.
  const scaled = b.op('Mul', [x, b.scalar(128 * Math.sqrt(2 / Math.PI), x)]);
  const square = b.mul(x, x);
  const sigma = b.op('Sigmoid', [b.mul(scaled, affine(b, square, k / 64, 1 / 64))]);
  const inner = b.mul(scaled, affine(b, square, (3 * k) / 64, 1 / 64));
  return b.add(sigma, b.mul(sigma, b.mul(affine(b, sigma, -1, 1), inner)));
}

export const gelu: Rule = (s) => [
  () => {
    const kind = stringAttr(s.node, 'approximate', 'none');
    if (kind !== 'none' && kind !== 'tanh') throw nodeError(s.node, `the Gelu approximation "${kind}" is not known`);
    const slope = kind === 'tanh' ? tanhGeluSlope : geluSlope;
    return inStrips(s.b, [s.x(), s.thinDy], (b, [x, dy]) => b.mul(dy!, slope(b, x!)));
  },
];
