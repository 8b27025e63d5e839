import { intAttr } from '../../onnx/attributes.ts';
import type { Rule } from '../site.ts';

/** dx = y·dy − y·Σ(y·dy) */
export const softmax: Rule = (s) => [
  () => {
    const t = s.b.mul(s.dy, s.y());
    return s.b.sub(t, s.b.mul(s.y(), s.b.sum(t, [intAttr(s.node, 'axis', -1)])));
  },
];

/** dx = dy − exp(y)·Σ dy */
export const logSoftmax: Rule = (s) => [
  () => s.b.sub(s.dy, s.b.mul(s.b.op('Exp', [s.y()]), s.b.sum(s.dy, [intAttr(s.node, 'axis', -1)]))),
];
