import { LensError } from '../../errors.ts';
import { describeNode } from '../attributes.ts';
import type { Node, ValueType } from '../graph.ts';
import * as conv from './convolution.ts';
import * as element from './elementwise.ts';
import * as indexing from './indexing.ts';
import * as linear from './linear.ts';
import * as norm from './normalisation.ts';
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
  ...each(element.same, 'BatchNormalization', 'GroupNormalization', 'InstanceNormalization'),
  ...each(element.arithmetic, 'Add', 'Div', 'Max', 'Mean', 'Min', 'Mod', 'Mul', 'Pow', 'PRelu', 'Sub', 'Sum'),
  ...each(element.arithmetic, 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'),
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
  TopK: reduce.topK,
  LayerNormalization: norm.layerNormalization,
  RMSNormalization: norm.rmsNormalization,
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
  Conv: conv.conv,
  ConvTranspose: conv.convTranspose,
  ...each(conv.pool, 'AveragePool', 'MaxPool'),
  ...each(conv.globalPool, 'GlobalAveragePool', 'GlobalMaxPool'),
  Resize: conv.resize,
  DepthToSpace: conv.depthToSpace,
  SpaceToDepth: conv.spaceToDepth,
};

/** Shape rules of onnxruntime's own operators that we write or lower. */
const MICROSOFT_RULES: Readonly<Record<string, ShapeRule>> = {
  ...each(element.same, 'FastGelu', 'Gelu', 'QuickGelu', 'BiasGelu'),
  ...each(norm.layerNormalization, 'LayerNormalization', 'SimplifiedLayerNormalization'),
  FusedMatMul: linear.fusedMatMul,
};

const DOMAINS: Readonly<Record<string, Readonly<Record<string, ShapeRule>>>> = {
  '': RULES,
  'com.microsoft': MICROSOFT_RULES,
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
  if (rule === undefined) {
    throw new LensError(
      `cannot tell the output shape of an unknown operator (${describeNode(site.node)})`,
      'Add a shape rule for it in kernel/onnx/shapes/, or export the model without it',
    );
  }
  return rule(site);
}
