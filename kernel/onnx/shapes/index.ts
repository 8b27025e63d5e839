import { LensError } from '../../errors.ts';
import { describeNode, nodeError } from '../attributes.ts';
import type { Node, ValueType } from '../graph.ts';
import * as conv from './convolution.ts';
import * as element from './elementwise.ts';
import { FUSED_SHAPES, MICROSOFT_FUSED_SHAPES } from './fused.ts';
import * as indexing from './indexing.ts';
import * as linear from './linear.ts';
import * as norm from './normalisation.ts';
import * as quantised from './quantised.ts';
import * as reduce from './reductions.ts';
import type { ShapeRule, ShapeSite } from './site.ts';
import * as structure from './structure.ts';

const each = (rule: ShapeRule, ...ops: readonly string[]): Record<string, ShapeRule> =>
  Object.fromEntries(ops.map((op) => [op, rule]));

/** Shape rules of ONNX's own operators, as of operator set 18 and newer. */
const RULES: Readonly<Record<string, ShapeRule>> = {
  ...each(
    element.same,
    'Abs',
    'Acos',
    'Asin',
    'Atan',
    'Ceil',
    'Celu',
    'Clip',
    'Cos',
    'Cosh',
    'CumSum',
    'Elu',
    'Erf',
    'Exp',
  ),
  ...each(
    element.same,
    'Floor',
    'Gelu',
    'HardSigmoid',
    'HardSwish',
    'Identity',
    'LeakyRelu',
    'Log',
    'LogSoftmax',
    'Mish',
  ),
  ...each(element.same, 'Neg', 'Not', 'Reciprocal', 'Relu', 'Round', 'ScatterElements', 'ScatterND', 'Selu', 'Sigmoid'),
  ...each(element.same, 'Sign', 'Sin', 'Sinh', 'Softmax', 'Softplus', 'Softsign', 'Sqrt', 'Tan', 'Tanh', 'Trilu'),
  ...each(element.same, 'Acosh', 'Asinh', 'Atanh', 'Hardmax', 'ReverseSequence', 'Shrink', 'Swish', 'ThresholdedRelu'),
  ...each(element.same, 'GroupNormalization', 'InstanceNormalization', 'LpNormalization', 'LRN'),
  ...each(element.same, 'BitwiseNot', 'MeanVarianceNormalization'),
  ...each(element.typed, 'Bernoulli', 'EyeLike', 'RandomNormalLike', 'RandomUniformLike'),
  ...each(element.arithmetic, 'Add', 'Div', 'Max', 'Mean', 'Min', 'Mod', 'Mul', 'Pow', 'PRelu', 'Sub', 'Sum'),
  ...each(element.arithmetic, 'BitShift', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'),
  ...each(element.comparison, 'And', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Or', 'Xor'),
  ...each(element.test, 'IsInf', 'IsNaN'),
  Dropout: (site) => [site.type(0), { dtype: 'bool', dims: site.dims(0) }],
  Where: element.where,
  Cast: element.cast,
  CastLike: element.castLike,
  MatMul: linear.matMul,
  Gemm: linear.gemm,
  Einsum: linear.einsum,
  ...each(reduce.reduction, 'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean'),
  ...each(reduce.reduction, 'ReduceMin', 'ReduceProd', 'ReduceSum', 'ReduceSumSquare'),
  ...each(reduce.argReduction, 'ArgMax', 'ArgMin'),
  Det: (site) => [{ dtype: site.type(0).dtype, dims: site.dims(0).slice(0, -2) }],
  TopK: reduce.topK,
  BatchNormalization: norm.batchNormalization,
  LayerNormalization: norm.layerNormalization,
  ...FUSED_SHAPES,
  ConvInteger: quantised.convInteger,
  DequantizeLinear: quantised.dequantizeLinear,
  DynamicQuantizeLinear: quantised.dynamicQuantizeLinear,
  MatMulInteger: quantised.matMulInteger,
  QuantizeLinear: quantised.quantizeLinear,
  ...each(norm.rmsNormalization, 'RMSNormalization', 'SimplifiedLayerNormalization'),
  Shape: structure.shape,
  Size: structure.size,
  ConstantOfShape: structure.constantOfShape,
  Range: structure.range,
  Reshape: structure.reshape,
  Flatten: structure.flatten,
  Squeeze: structure.squeeze,
  Unsqueeze: structure.unsqueeze,
  Transpose: structure.transpose,
  Concat: structure.concat,
  Split: structure.split,
  Slice: structure.slice,
  Expand: structure.expand,
  Tile: structure.tile,
  Pad: structure.pad,
  Gather: indexing.gather,
  GatherElements: indexing.gatherElements,
  GatherND: indexing.gatherND,
  OneHot: indexing.oneHot,
  Compress: indexing.compress,
  NonZero: indexing.nonZero,
  Conv: conv.conv,
  ConvTranspose: conv.convTranspose,
  ...each(conv.pool, 'AveragePool', 'LpPool', 'MaxPool'),
  ...each(conv.globalPool, 'GlobalAveragePool', 'GlobalLpPool', 'GlobalMaxPool'),
  Resize: conv.resize,
  DepthToSpace: conv.depthToSpace,
  SpaceToDepth: conv.spaceToDepth,
};

/** Shape rules of onnxruntime's own operators that we write or lower. */
const MICROSOFT_RULES: Readonly<Record<string, ShapeRule>> = {
  ...MICROSOFT_FUSED_SHAPES,
  Gelu: element.same,
  ...each(quantised.packedMatMul, 'MatMulBnb4', 'MatMulNBits'),
  ...each(quantised.scaledMatMul, 'DynamicQuantizeMatMul', 'MatMulIntegerToFloat'),
  QuantizeLinear: quantised.quantizeLinear,
};

const DOMAINS: Readonly<Record<string, Readonly<Record<string, ShapeRule>>>> = {
  '': RULES,
  'com.microsoft': MICROSOFT_RULES,
};

/** Operators whose output sizes only a run can tell: a graph with them cannot be bound. */
const UNBOUND: Readonly<Record<string, string>> = {
  If: 'an If whose condition depends on the data cannot be bound',
  Loop: 'a Loop cannot be bound: how often it runs depends on the data',
  NonMaxSuppression: 'how many boxes NonMaxSuppression keeps depends on the data',
  Scan: 'a Scan cannot be bound',
  Unique: 'how many elements Unique keeps depends on the data',
};

/** Whether {@link inferTypes} knows a node's operator. */
export const hasShapeRule = (node: Node): boolean => DOMAINS[node.domain]?.[node.op] !== undefined;

/**
 * Types of a node's outputs.
 *
 * @throws LensError for an operator that has no rule, or where shapes do not fit
 */
export function inferTypes(site: ShapeSite): readonly ValueType[] {
  const rule = DOMAINS[site.node.domain]?.[site.node.op];
  if (rule !== undefined) return rule(site);
  const unbound = site.node.domain === '' ? UNBOUND[site.node.op] : undefined;
  if (unbound !== undefined) {
    throw nodeError(
      site.node,
      unbound,
      'Stop before it: take an output that does not need it, or export the model without it',
    );
  }
  throw new LensError(
    `cannot tell the output shape of an unknown operator (${describeNode(site.node)})`,
    'Add a shape rule for it in kernel/onnx/shapes/, or export the model without it',
  );
}
