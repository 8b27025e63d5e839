import { floatAttr, intAttr } from '../attributes.ts';
import type { DType } from '../dtype.ts';
import type { FoldRule } from './tensor.ts';
import { broadcastPosition, pick, stored } from './tensor.ts';

const map =
  (compute: (x: number) => number): FoldRule =>
  ({ input, outputs }) => {
    const store = stored(outputs[0]!.dtype);
    return [Float64Array.from(input(0).data, (x) => store(compute(x)))];
  };

/** Combines broadcast inputs two by two, left to right. */
const combine =
  (compute: (a: number, b: number, dtype: DType) => number): FoldRule =>
  ({ inputs, outputs }) => {
    const { dims, dtype } = outputs[0]!;
    const store = stored(dtype);
    const tensors = inputs.flatMap((tensor) => tensor ?? []);
    const spread = tensors.map((tensor) => pick(dims, tensor.data, broadcastPosition(tensor.dims, dims.length)));
    const kind = tensors[0]!.dtype;
    return [spread.reduce((a, b) => a.map((x, i) => store(compute(x, b[i]!, kind))))];
  };

const truth = (value: boolean): number => (value ? 1 : 0);
const isInteger = (dtype: DType): boolean => dtype.includes('int');

/** Rounds half to even, as ONNX does. */
const roundEven = (x: number): number => {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

const clip: FoldRule = ({ input, inputs }) => {
  const low = inputs[1]?.data[0] ?? -Infinity;
  const high = inputs[2]?.data[0] ?? Infinity;
  return [Float64Array.from(input(0).data, (x) => Math.min(Math.max(x, low), high))];
};

const where: FoldRule = ({ input, outputs }) => {
  const { dims } = outputs[0]!;
  const spread = (i: number) => pick(dims, input(i).data, broadcastPosition(input(i).dims, dims.length));
  const [condition, yes, no] = [spread(0), spread(1), spread(2)];
  return [condition.map((chosen, i) => (chosen !== 0 ? yes[i]! : no[i]!))];
};

/** ONNX's Mod takes the divisor's sign, with `fmod` the dividend's. */
const mod: FoldRule = (site) =>
  combine((a, b) => (intAttr(site.node, 'fmod', 0) !== 0 ? a % b : a - b * Math.floor(a / b)))(site);

const hardSigmoid: FoldRule = (site) => {
  const [alpha, beta] = [floatAttr(site.node, 'alpha', 0.2), floatAttr(site.node, 'beta', 0.5)];
  return map((x) => Math.min(1, Math.max(0, alpha * x + beta)))(site);
};

export const ELEMENTWISE: Readonly<Record<string, FoldRule>> = {
  Abs: map(Math.abs),
  Add: combine((a, b) => a + b),
  And: combine((a, b) => truth(a !== 0 && b !== 0)),
  Cast: map((x) => x),
  CastLike: map((x) => x),
  Ceil: map(Math.ceil),
  Clip: clip,
  Cos: map(Math.cos),
  Div: combine((a, b, dtype) => (isInteger(dtype) ? Math.trunc(a / b) : a / b)),
  Equal: combine((a, b) => truth(a === b)),
  Exp: map(Math.exp),
  Floor: map(Math.floor),
  Greater: combine((a, b) => truth(a > b)),
  GreaterOrEqual: combine((a, b) => truth(a >= b)),
  HardSigmoid: hardSigmoid,
  Identity: map((x) => x),
  IsNaN: map((x) => truth(Number.isNaN(x))),
  Less: combine((a, b) => truth(a < b)),
  LessOrEqual: combine((a, b) => truth(a <= b)),
  Log: map(Math.log),
  Max: combine((a, b) => Math.max(a, b)),
  Min: combine((a, b) => Math.min(a, b)),
  Mod: mod,
  Mul: combine((a, b) => a * b),
  Neg: map((x) => -x),
  Not: map((x) => truth(x === 0)),
  Or: combine((a, b) => truth(a !== 0 || b !== 0)),
  Pow: combine((a, b) => a ** b),
  Reciprocal: map((x) => 1 / x),
  Relu: map((x) => Math.max(0, x)),
  Round: map(roundEven),
  Sigmoid: map((x) => 1 / (1 + Math.exp(-x))),
  Sign: map(Math.sign),
  Sin: map(Math.sin),
  Sqrt: map(Math.sqrt),
  Sub: combine((a, b) => a - b),
  Sum: combine((a, b) => a + b),
  Tanh: map(Math.tanh),
  Where: where,
  Xor: combine((a, b) => truth((a !== 0) !== (b !== 0))),
};
