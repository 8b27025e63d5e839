import { intAttr } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { int } from '../../onnx/graph.ts';
import { normalAxis } from '../../onnx/shapes/site.ts';
import { zeroAfter } from '../after.ts';
import type { Rule, Site } from '../site.ts';

/**
 * dx = y·(dy − Σ y·dy). In attention, where O = Y·V is the only use of Y, Σ y·dy over a row is Σ o·do over the same row of O,
 * which is smaller (head size instead of sequence length).
 */
export const softmax: Rule = (s) => [
  () => {
    const output = attentionOutput(s);
    const gradient = output === undefined ? undefined : s.around.gradient(output);
    if (output !== undefined && gradient !== undefined) {
      const dO = s.b.expand(gradient, s.dims(output));
      const sums = s.b.sum(s.b.mul(output, dO), [-1]);
      return s.b.mul(s.y(), lessSums(s, dO, sums) ?? s.b.sub(s.dy, sums));
    }
    const y = withoutNaN(s);
    const t = s.b.mul(s.dy, y);
    return s.b.sub(t, s.b.mul(y, s.b.sum(t, [intAttr(s.node, 'axis', -1)])));
  },
];

/** From this many numbers on, a pass over the attention matrix costs more than making its factors one column wider. */
const LARGE = 1 << 20;

/**
 * dy − Σ o·do, where dy = dO·Vᵀ is large: the subtraction is one more column of the factors, [dO, −Σ]·[V, 1]ᵀ. Undefined where it is
 * small.
 */
function lessSums(s: Site, dO: string, sums: string): string | undefined {
  const { b } = s;
  if (sizeOf(s.dims(s.y())) < LARGE) return undefined;
  const V = s.around.consumers(s.y())[0]!.inputs[1]!;
  const { dtype, dims } = b.graph.type(V);
  const last = dims.length - 1;
  // The ones wait for the sums: what depends on the forward pass alone a runtime makes early, and it would stand in memory until now.
  const one = b.add(b.constant(dtype, [1], [1]), zeroAfter(b, sums, dtype));
  const left = b.op('Concat', [dO, b.scale(sums, -1)], { axis: int(last) });
  const right = b.op('Concat', [V, b.expand(one, [...dims.slice(0, -1), 1])], { axis: int(last) });
  return b.op('MatMul', [left, b.swap(right)]);
}

/**
 * Of a row that is masked completely the softmax is NaN. Exporters replace it by 0, as Where(IsNaN(y), 0, y) or for whole rows; the
 * gradient must take the same value, for NaN·0 would be NaN.
 */
function withoutNaN(s: Site): string {
  const { dims } = s.b.graph.type(s.y());
  const axis = normalAxis(intAttr(s.node, 'axis', -1), dims.length);
  for (const choice of s.around.consumers(s.y())) {
    if (choice.op !== 'Where' || choice.inputs[2] !== s.y()) continue;
    const [condition, zero] = choice.inputs as [string, string];
    if (s.b.values(zero)?.every((value) => value === 0) !== true) continue;
    const test = s.around.producer(condition);
    const shape = s.dims(condition);
    const wholeRows = (shape[axis - dims.length + shape.length] ?? 1) === 1;
    if (wholeRows || (test?.op === 'IsNaN' && test.inputs[0] === s.y())) return choice.outputs[0]!;
  }
  return s.y();
}

/** O of O = softmax(…)·V, where the softmax is over the last axis and nothing else reads it. */
function attentionOutput(s: Site): string | undefined {
  const rank = s.dims(s.y()).length;
  const readers = s.around.consumers(s.y());
  const [product] = readers;
  if (product === undefined || readers.length !== 1 || rank < 2) return undefined;
  if (normalAxis(intAttr(s.node, 'axis', -1), rank) !== rank - 1) return undefined;
  const [left, right] = product.inputs;
  if (product.op !== 'MatMul' || left !== s.y() || right === left || s.dims(right!).length !== rank) return undefined;
  const output = product.outputs[0]!;
  // Where V has more heads than Y, Y was broadcast, and a row of Y has several rows of O.
  return s.dims(output).slice(0, -2).join() === s.dims(s.y()).slice(0, -2).join() ? output : undefined;
}

/** dx = dy − exp(y)·Σ dy */
export const logSoftmax: Rule = (s) => [
  () => s.b.sub(s.dy, s.b.mul(s.b.op('Exp', [s.y()]), s.b.sum(s.dy, [intAttr(s.node, 'axis', -1)]))),
];
