import type { Rule } from '../site.ts';
import * as activation from './activations.ts';
import * as arithmetic from './arithmetic.ts';
import * as convolution from './convolution.ts';
import * as indexing from './indexing.ts';
import * as linear from './linear.ts';
import * as norm from './normalisation.ts';
import * as reduction from './reductions.ts';
import { resize } from './resize.ts';
import * as soft from './softmax.ts';
import * as structure from './structure.ts';

/** Operators of ONNX's own set that a gradient can pass. A name here without a rule in the table below does not compile. */
export type DifferentiableOp =
  | 'Abs'
  | 'Add'
  | 'AveragePool'
  | 'BatchNormalization'
  | 'Cast'
  | 'CastLike'
  | 'Clip'
  | 'Concat'
  | 'Conv'
  | 'ConvTranspose'
  | 'Cos'
  | 'CumSum'
  | 'DepthToSpace'
  | 'Div'
  | 'Dropout'
  | 'Einsum'
  | 'Elu'
  | 'Erf'
  | 'Exp'
  | 'Expand'
  | 'Flatten'
  | 'Gather'
  | 'GatherElements'
  | 'GatherND'
  | 'Gelu'
  | 'Gemm'
  | 'GlobalAveragePool'
  | 'GroupNormalization'
  | 'HardSigmoid'
  | 'HardSwish'
  | 'Identity'
  | 'InstanceNormalization'
  | 'LayerNormalization'
  | 'LeakyRelu'
  | 'Log'
  | 'LogSoftmax'
  | 'MatMul'
  | 'Max'
  | 'MaxPool'
  | 'Mean'
  | 'Min'
  | 'Mish'
  | 'Mul'
  | 'Neg'
  | 'Pad'
  | 'Pow'
  | 'RMSNormalization'
  | 'Reciprocal'
  | 'ReduceL1'
  | 'ReduceL2'
  | 'ReduceLogSumExp'
  | 'ReduceMax'
  | 'ReduceMean'
  | 'ReduceMin'
  | 'ReduceProd'
  | 'ReduceSum'
  | 'ReduceSumSquare'
  | 'Relu'
  | 'Reshape'
  | 'Resize'
  | 'ScatterElements'
  | 'ScatterND'
  | 'Sigmoid'
  | 'Sin'
  | 'Slice'
  | 'Softmax'
  | 'Softplus'
  | 'SpaceToDepth'
  | 'Split'
  | 'Sqrt'
  | 'Squeeze'
  | 'Sub'
  | 'Sum'
  | 'Tanh'
  | 'Tile'
  | 'TopK'
  | 'Transpose'
  | 'Trilu'
  | 'Unsqueeze'
  | 'Where';

/** Operators through which nothing flows back: their outputs are piecewise constant, or are no numbers to vary. */
export type ZeroGradientOp =
  | 'And'
  | 'ArgMax'
  | 'ArgMin'
  | 'Ceil'
  | 'ConstantOfShape'
  | 'Equal'
  | 'Floor'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'IsInf'
  | 'IsNaN'
  | 'Less'
  | 'LessOrEqual'
  | 'NonZero'
  | 'Not'
  | 'OneHot'
  | 'Or'
  | 'Range'
  | 'Round'
  | 'Shape'
  | 'Sign'
  | 'Size'
  | 'Xor';

/** The gradient rule of every operator, or 'zero'. */
export const RULES: Readonly<Record<DifferentiableOp, Rule> & Record<ZeroGradientOp, 'zero'>> = {
  Abs: arithmetic.abs,
  Add: arithmetic.add,
  And: 'zero',
  ArgMax: 'zero',
  ArgMin: 'zero',
  AveragePool: convolution.averagePool,
  BatchNormalization: norm.batchNormalization,
  Cast: arithmetic.cast,
  CastLike: arithmetic.cast,
  Ceil: 'zero',
  Clip: arithmetic.clip,
  Concat: structure.concat,
  ConstantOfShape: 'zero',
  Conv: convolution.conv,
  ConvTranspose: convolution.convTranspose,
  Cos: arithmetic.cos,
  CumSum: structure.cumSum,
  DepthToSpace: structure.depthToSpace,
  Div: arithmetic.div,
  Dropout: arithmetic.identity,
  Einsum: linear.einsum,
  Elu: activation.elu,
  Equal: 'zero',
  Erf: arithmetic.erf,
  Exp: arithmetic.exp,
  Expand: structure.expand,
  Flatten: structure.reshape,
  Floor: 'zero',
  Gather: indexing.gather,
  GatherElements: indexing.gatherElements,
  GatherND: indexing.gatherND,
  Gelu: activation.gelu,
  Gemm: linear.gemm,
  GlobalAveragePool: convolution.globalAveragePool,
  Greater: 'zero',
  GreaterOrEqual: 'zero',
  GroupNormalization: norm.groupNormalization,
  HardSigmoid: activation.hardSigmoid,
  HardSwish: activation.hardSwish,
  Identity: arithmetic.identity,
  InstanceNormalization: norm.instanceNormalization,
  IsInf: 'zero',
  IsNaN: 'zero',
  LayerNormalization: norm.layerNormalization,
  LeakyRelu: activation.leakyRelu,
  Less: 'zero',
  LessOrEqual: 'zero',
  Log: arithmetic.log,
  LogSoftmax: soft.logSoftmax,
  MatMul: linear.matMul,
  Max: arithmetic.max,
  MaxPool: convolution.maxPool,
  Mean: arithmetic.mean,
  Min: arithmetic.min,
  Mish: activation.mish,
  Mul: arithmetic.mul,
  Neg: arithmetic.neg,
  NonZero: 'zero',
  Not: 'zero',
  OneHot: 'zero',
  Or: 'zero',
  Pad: structure.pad,
  Pow: arithmetic.pow,
  RMSNormalization: norm.rmsNormalization,
  Range: 'zero',
  Reciprocal: arithmetic.reciprocal,
  ReduceL1: reduction.reduceL1,
  ReduceL2: reduction.reduceL2,
  ReduceLogSumExp: reduction.reduceLogSumExp,
  ReduceMax: reduction.reduceExtreme,
  ReduceMean: reduction.reduceMean,
  ReduceMin: reduction.reduceExtreme,
  ReduceProd: reduction.reduceProd,
  ReduceSum: reduction.reduceSum,
  ReduceSumSquare: reduction.reduceSumSquare,
  Relu: activation.relu,
  Reshape: structure.reshape,
  Resize: resize,
  Round: 'zero',
  ScatterElements: indexing.scatterElements,
  ScatterND: indexing.scatterND,
  Shape: 'zero',
  Sigmoid: activation.sigmoid,
  Sign: 'zero',
  Sin: arithmetic.sin,
  Size: 'zero',
  Slice: structure.slice,
  Softmax: soft.softmax,
  Softplus: activation.softplus,
  SpaceToDepth: structure.spaceToDepth,
  Split: structure.split,
  Sqrt: arithmetic.sqrt,
  Squeeze: structure.reshape,
  Sub: arithmetic.sub,
  Sum: arithmetic.add,
  Tanh: activation.tanh,
  Tile: structure.tile,
  TopK: indexing.topK,
  Transpose: structure.transpose,
  Trilu: structure.trilu,
  Unsqueeze: structure.reshape,
  Where: arithmetic.where,
  Xor: 'zero',
};

/** Rules for onnxruntime's own operators that are kept as they are; all others are lowered to primitives first. */
export type MicrosoftOp = 'FusedMatMul' | 'Gelu';

export const MICROSOFT_RULES: Readonly<Record<MicrosoftOp, Rule>> = {
  FusedMatMul: linear.fusedMatMul,
  Gelu: activation.gelu,
};
