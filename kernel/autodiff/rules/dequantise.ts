import { intAttr } from '../../onnx/attributes.ts';
import { int } from '../../onnx/graph.ts';
import { normalAxis } from '../../onnx/shapes/site.ts';
import type { Rule, Site } from '../site.ts';

/** The scale beside x: one number, one for each position of an axis, or one for each block of positions. */
function spreadScale(s: Site, axis: number): string {
  const { b } = s;
  const dims = s.dims(s.x());
  const own = s.dims(s.x(1));
  if (own.length === 0 || (own.length === 1 && own[0] === 1)) return s.x(1);
  if (own.length === 1) {
    return b.reshape(
      s.x(1),
      dims.map((dim, at) => (at === axis ? dim : 1)),
    );
  }
  const block = intAttr(s.node, 'block_size');
  const apart = [...own.slice(0, axis + 1), 1, ...own.slice(axis + 1)];
  const repeated = b.expand(b.reshape(s.x(1), apart), apart.with(axis + 1, block));
  const joined = b.reshape(repeated, own.with(axis, own[axis]! * block));
  return own[axis]! * block === dims[axis] ? joined : b.slice(joined, axis, 0, dims[axis]!);
}

/** y = (x − z)·s with whole numbers x and z: ds = Σ dy·y/s over what shares a scale. */
export const dequantizeLinear: Rule = (s) => [
  undefined,
  () => {
    const { b } = s;
    const dims = s.dims(s.x());
    const own = s.dims(s.x(1));
    const axis = normalAxis(intAttr(s.node, 'axis', 1), dims.length);
    const share = b.mul(s.dy, b.div(s.y(), spreadScale(s, axis)));
    if (own.length <= 1) {
      const single = own.length === 0 || own[0] === 1;
      const others = dims.flatMap((_, at) => (single || at !== axis ? [at] : []));
      return b.reshape(b.sum(share, others), own);
    }
    const block = intAttr(s.node, 'block_size');
    const full = dims.map((_, at) => (at === axis ? own[axis]! * block - dims[axis]! : 0));
    const padded = b.pad(
      share,
      dims.map(() => 0),
      full,
    );
    const apart = [...dims.slice(0, axis), own[axis]!, block, ...dims.slice(axis + 1)];
    return b.reshape(b.op('ReduceSum', [b.reshape(padded, apart), b.ints([axis + 1])], { keepdims: int(0) }), own);
  },
];
