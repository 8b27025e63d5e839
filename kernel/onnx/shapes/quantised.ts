import { intAttr, nodeError } from '../attributes.ts';
import { dtypeOf } from '../dtype.ts';
import { conv } from './convolution.ts';
import { matMulDims } from './linear.ts';
import type { ShapeRule } from './site.ts';

/** The codes' shape with the scales' type, or the one that is asked for. */
export const dequantizeLinear: ShapeRule = (site) => {
  const asked = dtypeOf(intAttr(site.node, 'output_dtype', 0));
  return [{ dtype: asked ?? site.type(1).dtype, dims: site.dims(0) }];
};

/** Codes of the zero point's type, or of the one that is asked for. */
export const quantizeLinear: ShapeRule = (site) => {
  const asked = dtypeOf(intAttr(site.node, 'output_dtype', 0));
  return [{ dtype: asked ?? site.inputs[2]?.dtype ?? 'uint8', dims: site.dims(0) }];
};

/** Codes, their scale and their zero point. */
export const dynamicQuantizeLinear: ShapeRule = (site) => [
  { dtype: 'uint8', dims: site.dims(0) },
  { dtype: 'float32', dims: [] },
  { dtype: 'uint8', dims: [] },
];

export const matMulInteger: ShapeRule = (site) => [
  { dtype: 'int32', dims: matMulDims(site.node, site.dims(0), site.dims(1)) },
];

export const convInteger: ShapeRule = (site) => [{ dtype: 'int32', dims: conv(site)[0]!.dims }];

/** com.microsoft: a product of integers that comes out as a number. */
export const scaledMatMul: ShapeRule = (site) => [
  { dtype: 'float32', dims: matMulDims(site.node, site.dims(0), site.dims(1)) },
];

/** [..., K] times a packed weight [N, K]. */
export const packedMatMul: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const [n, k] = [intAttr(site.node, 'N'), intAttr(site.node, 'K')];
  // A weight of MatMulBnb4 may be the other way round.
  const [inner, outer] = intAttr(site.node, 'transB', 1) === 0 ? [n, k] : [k, n];
  if (dims.at(-1) !== inner) {
    throw nodeError(
      site.node,
      `an input of shape [${dims.join(', ')}] does not fit a weight for ${String(inner)} channels`,
      'Check the dimensions that were bound',
    );
  }
  return [{ dtype, dims: dims.with(-1, outer) }];
};
