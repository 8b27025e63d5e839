import { floatAttr } from '../attributes.ts';
import type { Builder } from '../builder.ts';
import { int, raiseOpset, text } from '../graph.ts';
import { sizeOf } from '../dtype.ts';
import type { FusedSite, Lowering } from './site.ts';

const biased = (site: FusedSite): string => {
  const bias = site.optional(1);
  return bias === undefined ? site.x() : site.b.add(site.x(), bias);
};

/** Gelu by the error function, or by its tanh approximation. */
function gelu(b: Builder, x: string, approximate: 'none' | 'tanh' = 'none'): string {
  raiseOpset(b.graph, 20);
  return b.op('Gelu', [x], { approximate: text(approximate) });
}

/** Gelu(x + bias), by the error function. */
export const biasGelu: Lowering = (site) => [gelu(site.b, biased(site))];

/** Gelu(x + bias) by its tanh approximation; the bias may be omitted. */
export const fastGelu: Lowering = (site) => [gelu(site.b, biased(site), 'tanh')];

/** x·σ(αx); α is 1.702 by default, and 1 makes it SiLU. */
export const quickGelu: Lowering = (site) => [swish(site.b, site.x(), floatAttr(site.node, 'alpha', 1.702))];

/** x·σ(αx) */
export const swish = (b: Builder, x: string, alpha = 1): string => b.mul(x, b.op('Sigmoid', [b.scale(x, alpha)]));

/** x + bias + skip */
export const biasAdd: Lowering = (site) => [site.b.add(site.b.add(site.x(), site.x(1)), site.x(2))];

/** The left half of x + bias times Gelu of its right half. */
export const biasSplitGelu: Lowering = (site) => {
  const { b } = site;
  const [left, right] = b.multi('Split', [biased(site)], { axis: int(-1), num_outputs: int(2) }, { outputs: 2 });
  return [b.mul(left!, gelu(b, right!))];
};

/** Activation of FusedConv and FusedGemm by name, with its parameters. */
export function activation(site: FusedSite, x: string, name: string, parameters: readonly number[]): string {
  const { b } = site;
  const [first, second] = parameters;
  const write = ACTIVATIONS[name];
  if (write === undefined) {
    throw site.error(`the activation "${name}" is not known`, `Known are: ${Object.keys(ACTIVATIONS).join(', ')}`);
  }
  return sizeOf(b.dims(x)) === 0 ? x : write(b, x, first, second);
}

type Activation = (b: Builder, x: string, first: number | undefined, second: number | undefined) => string;

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  Clip: (b, x, low = 0, high = 6) => b.op('Clip', [x, b.scalar(low, x), b.scalar(high, x)]),
  HardSigmoid: (b, x, alpha = 0.2, beta = 0.5) =>
    b.op('HardSigmoid', [x], { alpha: { kind: 'float', value: alpha }, beta: { kind: 'float', value: beta } }),
  LeakyRelu: (b, x, alpha = 0.01) => b.op('LeakyRelu', [x], { alpha: { kind: 'float', value: alpha } }),
  Relu: (b, x) => b.op('Relu', [x]),
  Sigmoid: (b, x) => b.op('Sigmoid', [x]),
  Tanh: (b, x) => b.op('Tanh', [x]),
};
