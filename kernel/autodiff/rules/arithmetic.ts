import { nodeError } from '../../onnx/attributes.ts';
import type { Rule, Site, Thunk } from '../site.ts';

/** The rule of an operator that broadcasts: each input's gradient is summed back to that input's shape. */
export const broadcasting =
  (rule: (s: Site) => readonly ((() => string) | undefined)[]): Rule =>
  (s) =>
    rule(s).map((thunk, i): Thunk | undefined => thunk && (() => s.unbroadcast(thunk(), i)));

/** d(a + b) = da + db */
export const add = broadcasting((s) => s.node.inputs.map(() => () => s.thinDy));

/** d(a − b) = da − db */
export const sub = broadcasting((s) => [() => s.thinDy, () => s.b.scale(s.thinDy, -1)]);

/** d(a·b) = b·da + a·db; for a square 2a·da in one go, for x·σ(x) see below */
export const mul: Rule = (s) => {
  if (s.x(0) === s.x(1)) return [() => s.b.mul(s.b.scale(s.thinDy, 2), s.x()), undefined];
  const gate = [0, 1].find((i) => isSigmoidOf(s, s.x(i), s.x(1 - i)));
  if (gate === undefined) return product(s);
  return gate === 1 ? [() => swish(s, s.x(1)), undefined] : [undefined, () => swish(s, s.x(0))];
};

const product = broadcasting((s) => [() => timesValue(s, s.x(1)), () => timesValue(s, s.x(0))]);

/** dy times a value; a constant of one element counts as a number, which can merge with others. */
function timesValue(s: Site, value: string): string {
  const number = s.b.values(value);
  return number?.length === 1 ? s.b.scale(s.thinDy, number[0]!) : s.b.mul(s.thinDy, value);
}

const isSigmoidOf = (s: Site, value: string, x: string): boolean => {
  const node = s.around.producer(value);
  return node?.op === 'Sigmoid' && node.domain === '' && node.inputs[0] === x;
};

/** y = x·σ with σ = σ(x): dx = σ·dy + y·(dy − σ·dy), four passes instead of the six of its two nodes */
function swish(s: Site, gate: string): string {
  const t = s.b.mul(s.thinDy, gate);
  return s.b.add(t, s.b.mul(s.b.sub(s.thinDy, t), s.y()));
}

/** d(a/b) = da/b − (a/b)/b·db; summed to b's shape before the division, which is then small */
export const div: Rule = (s) => [
  () => {
    const divisor = s.b.values(s.x(1));
    const gradient = divisor?.length === 1 ? s.b.scale(s.thinDy, 1 / divisor[0]!) : s.b.div(s.thinDy, s.x(1));
    return s.unbroadcast(gradient, 0);
  },
  () => s.b.div(s.b.scale(s.unbroadcast(s.b.mul(s.thinDy, s.y()), 1), -1), s.x(1)),
];

/** d(x^p) = p·x^(p−1)·dx + x^p·ln x·dp */
export const pow = broadcasting((s) => [
  () => {
    const power = s.b.values(s.x(1));
    if (power?.length === 1) {
      const [p] = [power[0]!];
      if (p === 1) return s.thinDy;
      const slope =
        p === 2 ? s.x() : p === 0.5 ? s.b.op('Reciprocal', [s.y()]) : s.b.op('Pow', [s.x(), s.b.scalar(p - 1, s.x())]);
      return s.b.mul(s.b.scale(s.thinDy, p), slope);
    }
    const exponent =
      s.b.graph.type(s.x(1)).dtype === s.b.graph.type(s.x()).dtype ? s.x(1) : s.b.castLike(s.x(1), s.x());
    return s.b.mul(s.b.mul(s.thinDy, exponent), s.b.op('Pow', [s.x(), s.b.sub(exponent, s.b.scalar(1, exponent))]));
  },
  () => s.b.mul(s.b.mul(s.thinDy, s.y()), s.b.op('Log', [s.x()])),
]);

/** d(−x) = −dx */
export const neg: Rule = (s) => [() => s.b.scale(s.thinDy, -1)];

/** d√x = dx / 2√x */
export const sqrt: Rule = (s) => [() => s.b.div(s.b.scale(s.thinDy, 0.5), s.y())];

/** d(1/x) = −(1/x)²·dx */
export const reciprocal: Rule = (s) => [() => s.b.mul(s.b.scale(s.thinDy, -1), s.b.mul(s.y(), s.y()))];

/** d|x| = sign(x)·dx */
export const abs: Rule = (s) => [() => s.b.mul(s.thinDy, s.b.op('Sign', [s.x()]))];

/** d exp x = exp x·dx */
export const exp: Rule = (s) => [() => s.b.mul(s.thinDy, s.y())];

/** d ln x = dx/x */
export const log: Rule = (s) => [() => s.b.div(s.thinDy, s.x())];

/** d sin x = cos x·dx */
export const sin: Rule = (s) => [() => s.b.mul(s.thinDy, s.b.op('Cos', [s.x()]))];

/** d cos x = −sin x·dx */
export const cos: Rule = (s) => [() => s.b.mul(s.b.scale(s.thinDy, -1), s.b.op('Sin', [s.x()]))];

/** d erf x = 2/√π·exp(−x²)·dx */
export const erf: Rule = (s) => [
  () => {
    const bell = s.b.op('Exp', [s.b.scale(s.b.mul(s.x(), s.x()), -1)]);
    return s.b.mul(s.b.scale(s.thinDy, 2 / Math.sqrt(Math.PI)), bell);
  },
];

/** Where a value was chosen, its gradient passes; among equal ones the first counts. */
const choose = (beats: 'GreaterOrEqual' | 'LessOrEqual'): Rule =>
  broadcasting((s) => {
    const { b, node } = s;
    const zero = () => b.scalar(0, s.x());
    if (node.inputs.length === 1) return [() => s.thinDy];
    if (node.inputs.length === 2) {
      const first = () => b.op(beats, [s.x(0), s.x(1)]);
      return [() => b.op('Where', [first(), s.thinDy, zero()]), () => b.op('Where', [first(), zero(), s.thinDy])];
    }
    const equal = (i: number) => b.op('Equal', [s.x(i), s.y()]);
    return node.inputs.map((_, i) => () => {
      let chosen = equal(i);
      for (let k = 0; k < i; k++) chosen = b.op('And', [chosen, b.op('Not', [equal(k)])]);
      return b.op('Where', [chosen, s.thinDy, zero()]);
    });
  });

export const max: Rule = choose('GreaterOrEqual');
export const min: Rule = choose('LessOrEqual');

/** y = a − b·q with a whole number q: dy = da − q·db, and q = (a − y)/b */
export const mod: Rule = broadcasting((s) => [
  () => s.thinDy,
  () => s.b.mul(s.b.scale(s.thinDy, -1), s.b.op('Round', [s.b.div(s.b.sub(s.x(), s.y()), s.x(1))])),
]);

/** The mean of n inputs: dx/n each */
export const mean = broadcasting((s) => s.node.inputs.map(() => () => s.b.scale(s.thinDy, 1 / s.node.inputs.length)));

/** y = min(max(x, low), high): passes where y is x; elsewhere it is a bound's, high's where y is high. */
export const clip: Rule = (s) => {
  const { b } = s;
  const zero = () => b.scalar(0, s.x());
  const given = (i: number) => (s.node.inputs[i] ?? '') !== '';
  const isX = () => b.op('Equal', [s.x(), s.y()]);
  const isHigh = () => (given(2) ? b.op('Equal', [s.y(), s.x(2)]) : undefined);
  const where = (condition: string) => b.op('Where', [condition, s.thinDy, zero()]);
  const cut = (more?: string) => {
    const moved = b.op('Not', [isX()]);
    return where(more === undefined ? moved : b.op('And', [moved, more]));
  };
  return [
    () => where(isX()),
    () => {
      const high = isHigh();
      return s.unbroadcast(cut(high && b.op('Not', [high])), 1);
    },
    () => s.unbroadcast(cut(given(1) ? isHigh() : undefined), 2),
  ];
};

/** Each side where it was chosen. */
export const where = broadcasting((s) => [
  undefined,
  () => s.b.op('Where', [s.x(0), s.thinDy, s.b.scalar(0, s.x(1))]),
  () => s.b.op('Where', [s.x(0), s.b.scalar(0, s.x(2)), s.thinDy]),
]);

/** Between float types the gradient is cast back. */
export const cast: Rule = (s) => [() => s.b.castLike(s.thinDy, s.x())];

/** Dropout passes everything at inference. */
export const dropout: Rule = (s) => {
  const train = s.node.inputs[2];
  if (train !== undefined && train !== '' && s.b.values(train)?.[0] !== 0) {
    throw nodeError(
      s.node,
      'Dropout in training mode has no gradient rule',
      'Export the model for inference (model.eval() in PyTorch)',
    );
  }
  return [() => s.thinDy];
};

export const identity: Rule = (s) => [() => s.thinDy];
