import { hasAttr, intAttr, nodeError } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { int } from '../../onnx/graph.ts';
import { bnb4Weight, nBitsBlocks, nBitsGroups } from '../../onnx/lower/dequantise.ts';
import { after } from '../after.ts';
import type { Rule, Site } from '../site.ts';

/** A gradient [..., n] as a matrix [rows, n]. */
const asMatrix = (s: Site, gradient: string): string => {
  const columns = s.dims(gradient).at(-1)!;
  return s.b.reshape(gradient, [sizeOf(s.dims(gradient)) / columns, columns]);
};

const noGradient = (s: Site) => () => {
  throw nodeError(s.node, 'a quantised weight has no gradient', 'Differentiate with respect to the input instead');
};

/**
 * com.microsoft MatMulNBits: Y = X·Wᵀ with W = s⊙q − s⊙z by blocks. dX = dY·(s⊙q) − (dY·(s⊙z)) repeated over each block: the forward
 * kernel stays as it is, W is spread out for this one product, and the zero points, one for each block, take a product of 1/block the
 * size.
 */
export const matMulNBits: Rule = (s) => {
  const { node } = s;
  if (hasAttr(node, 'weight_prepacked') && intAttr(node, 'weight_prepacked') !== 0) {
    throw nodeError(
      node,
      'weights packed for one machine have no gradient rule',
      'Use the export that was not prepacked',
    );
  }
  const bias = node.inputs[5] ?? '';
  return [
    () => ((node.inputs[4] ?? '') === '' ? blockProduct(s) : groupedProduct(s)),
    ...[1, 2, 3, 4].map(() => noGradient(s)),
    ...(bias === '' ? [] : [() => s.unbroadcast(s.thinDy, 5)]),
  ];
};

function blockProduct(s: Site): string {
  const { b, node } = s;
  const k = intAttr(node, 'K');
  const dy = asMatrix(s, s.dy);
  const { scaled, shift, blocks, block } = nBitsBlocks(b, node, (scales) => after(b, scales, dy));
  const main = b.op('MatMul', [dy, scaled]);
  const rows = s.dims(dy)[0]!;
  const rest = b.reshape(b.op('MatMul', [dy, shift]), [rows, blocks, 1]);
  const whole = b.reshape(b.sub(b.reshape(main, [rows, blocks, block]), rest), [rows, blocks * block]);
  return b.reshape(blocks * block === k ? whole : b.slice(whole, 1, 0, k), s.dims(s.x()));
}

/**
 * With g_idx the block of a column is looked up, not counted: W[n, k] = s[n, g[k]]·(q[n, k] − z). onnxruntime's CPU kernel does not
 * read zero points then, so that a gradient with them would be another function's.
 */
function groupedProduct(s: Site): string {
  const { b, node } = s;
  if ((node.inputs[3] ?? '') !== '') {
    throw nodeError(
      node,
      'a weight whose columns choose their block (g_idx) has no gradient rule beside zero points',
      'Quantise the model without reordering its columns',
    );
  }
  const [n, k] = [intAttr(node, 'N'), intAttr(node, 'K')];
  const groups = b.reshape(s.x(4), [sizeOf(s.dims(s.x(4)))]);
  const { codes, scales, shift } = nBitsGroups(b, node, (one) => after(b, one, s.thinDy));
  const places = s.dims(codes)[1]!;
  const spread = (x: string) => b.op('Gather', [x, groups], { axis: int(1) });
  const plain = places === k ? codes : b.slice(codes, 1, 0, k);
  const weight = b.sub(b.mul(plain, spread(scales)), spread(shift));
  return b.reshape(b.op('MatMul', [asMatrix(s, s.dy), b.reshape(weight, [n, k])]), s.dims(s.x()));
}

/** com.microsoft MatMulBnb4: Y = X·Wᵀ, or X·W where transB is 0. dX = dY·W, or dY·Wᵀ; W is spread out for this one product. */
export const matMulBnb4: Rule = (s) => {
  const { b, node } = s;
  return [
    () => {
      const weight = bnb4Weight(b, node, (one) => after(b, one, s.thinDy));
      const right = intAttr(node, 'transB', 1) === 0 ? b.transpose(weight, [1, 0]) : weight;
      return b.reshape(b.op('MatMul', [asMatrix(s, s.dy), right]), s.dims(s.x()));
    },
    noGradient(s),
    noGradient(s),
  ];
};
