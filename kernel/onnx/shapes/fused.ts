import { intAttr, intsAttr } from '../attributes.ts';
import type { LoweredMicrosoftOp, LoweredOp } from '../lower/ops.ts';
import type { ValueType } from '../graph.ts';
import { conv } from './convolution.ts';
import * as element from './elementwise.ts';
import { fusedMatMul, gemm } from './linear.ts';
import { layerNormalization } from './normalisation.ts';
import { dequantizeLinear } from './quantised.ts';
import type { ShapeRule, ShapeSite } from './site.ts';
import { normalAxis } from './site.ts';

const optionalDims = (site: ShapeSite, i: number): readonly number[] | undefined => site.inputs[i]?.dims;

/** Output, present keys and values [batch, key heads, total, size], and the scores. */
const groupQueryAttention: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const heads = intAttr(site.node, 'num_heads');
  const keyHeads = intAttr(site.node, 'kv_num_heads');
  const [batch, length, hidden] = dims as [number, number, number];
  const size = hidden / (optionalDims(site, 1) === undefined ? heads + 2 * keyHeads : heads);
  const past = optionalDims(site, 3)?.[2] ?? 0;
  const total = Math.max(past, site.values(6)?.[0] ?? past + length);
  const cache = { dtype: site.inputs[3]?.dtype ?? dtype, dims: [batch, keyHeads, total, size] };
  const scores = { dtype, dims: [batch, heads, length, total] };
  return [{ dtype, dims: [batch, length, heads * size] }, cache, cache, scores];
};

/** Output [batch, queries, heads · value size], present keys and values, and the weights. */
const multiHeadAttention: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const [batch, length] = dims as [number, number];
  const heads = intAttr(site.node, 'num_heads');
  const size = dims.length === 5 ? dims[4]! : dims[2]! / heads;
  const key = optionalDims(site, 1);
  const value = optionalDims(site, 2);
  const keys = key === undefined ? length : key.length === 4 ? key[2]! : key[1]!;
  const valueSize = value === undefined ? size : value.length === 4 ? value[3]! : value[2]! / heads;
  const total = (optionalDims(site, 6)?.[2] ?? 0) + keys;
  return [
    { dtype, dims: [batch, length, heads * valueSize] },
    { dtype, dims: [batch, heads, total, size] },
    { dtype, dims: [batch, heads, total, valueSize] },
    { dtype, dims: [batch, heads, length, total] },
  ];
};

/** Output [batch, sequence, value width] and the joint cache [2, batch, heads, total, size]. */
const microsoftAttention: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const [batch, length] = dims as [number, number];
  const third = site.dims(1)[1]! / 3;
  const [, key, value] = intsAttr(site.node, 'qkv_hidden_sizes', [third, third, third]) as [number, number, number];
  const heads = intAttr(site.node, 'num_heads');
  const total = (optionalDims(site, 4)?.[3] ?? 0) + length;
  return [
    { dtype, dims: [batch, length, value] },
    { dtype, dims: [2, batch, heads, total, key / heads] },
  ];
};

/** Output of q's layout, present keys and values, and the scores. */
const attention: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const flat = dims.length === 3;
  const asHeads = (i: number, name: string): readonly number[] => {
    const given = site.dims(i);
    if (!flat) return given;
    const heads = intAttr(site.node, name);
    return [given[0]!, heads, given[1]!, given[2]! / heads];
  };
  const [q, k, v] = [asHeads(0, 'q_num_heads'), asHeads(1, 'kv_num_heads'), asHeads(2, 'kv_num_heads')];
  const total = (optionalDims(site, 4)?.[2] ?? 0) + k[2]!;
  const result = flat ? [q[0]!, q[2]!, q[1]! * v[3]!] : [q[0]!, q[1]!, q[2]!, v[3]!];
  return [
    { dtype, dims: result },
    { dtype, dims: k.with(2, total) },
    { dtype, dims: v.with(2, total) },
    { dtype, dims: [q[0]!, q[1]!, q[2]!, total] },
  ];
};

/** y, mean and 1/σ with the last axis as 1 in single precision, and the residual sum. */
const skipNormalization: ShapeRule = (site) => {
  const x = site.type(0);
  const statistics: ValueType = { dtype: 'float32', dims: x.dims.with(-1, 1) };
  return [x, x.dtype === 'float64' ? { ...statistics, dtype: x.dtype } : statistics, statistics, x];
};

const embedLayerNormalization: ShapeRule = (site) => {
  const [batch, length] = site.dims(0) as [number, number];
  const { dtype, dims } = site.type(2);
  const embedded: ValueType = { dtype, dims: [batch, length, dims[1]!] };
  return [embedded, { dtype: 'int32', dims: [batch] }, embedded];
};

const halfOfLast: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  return [{ dtype, dims: dims.with(-1, dims.at(-1)! / 2) }];
};

/** The first of x's axes behind the stacked ones, where asked for. */
const stackedMatMul: ShapeRule = (site) => {
  const moved = (i: number, name: string): ValueType => {
    const type = site.type(i);
    if (intAttr(site.node, name, 0) === 0) return type;
    const { dims } = type;
    return { ...type, dims: [...dims.slice(1, -1), dims[0]!, dims.at(-1)!] };
  };
  const inputs = [moved(0, 'transBatchA'), moved(1, 'transBatchB')];
  const types = { node: site.node, type: (i: number) => inputs[i]!, dims: (i: number) => inputs[i]!.dims };
  return fusedMatMul(Object.assign(Object.create(site) as ShapeSite, types));
};

const nhwcConv: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const first: ValueType = { dtype, dims: [dims[0]!, dims.at(-1)!, ...dims.slice(1, -1)] };
  const inputs = [first, ...site.inputs.slice(1)];
  const types = { type: (i: number) => inputs[i]!, dims: (i: number) => inputs[i]!.dims };
  const [y] = conv(Object.assign(Object.create(site) as ShapeSite, types));
  return [{ dtype, dims: [y!.dims[0]!, ...y!.dims.slice(2), y!.dims[1]!] }];
};

const gatherBlockQuantized: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const bits = intAttr(site.node, 'bits', 4);
  const full = dtype === 'uint8' ? dims.with(-1, (dims.at(-1)! * 8) / bits) : dims;
  const axis = normalAxis(intAttr(site.node, 'gather_axis', 0), full.length);
  return [{ dtype: site.type(2).dtype, dims: [...full.slice(0, axis), ...site.dims(1), ...full.slice(axis + 1)] }];
};

/** Shape rules of the fused operators of ONNX's own set. */
export const FUSED_SHAPES: Readonly<Record<LoweredOp, ShapeRule>> = {
  Attention: attention,
  RotaryEmbedding: element.same,
};

/** Shape rules of onnxruntime's fused operators. */
export const MICROSOFT_FUSED_SHAPES: Readonly<Record<LoweredMicrosoftOp, ShapeRule>> = {
  Attention: microsoftAttention,
  BiasAdd: element.same,
  BiasGelu: element.same,
  BiasSplitGelu: halfOfLast,
  DequantizeLinear: dequantizeLinear,
  EmbedLayerNormalization: embedLayerNormalization,
  FastGelu: element.same,
  FusedConv: conv,
  FusedGemm: gemm,
  FusedMatMul: stackedMatMul,
  GatherBlockQuantized: gatherBlockQuantized,
  GroupNorm: element.same,
  GroupQueryAttention: groupQueryAttention,
  LayerNormalization: layerNormalization,
  MultiHeadAttention: multiHeadAttention,
  NhwcConv: nhwcConv,
  QuickGelu: element.same,
  RotaryEmbedding: element.same,
  SkipGroupNorm: (site) => [site.type(0), site.type(0)],
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  TransposeMatMul: fusedMatMul,
};
