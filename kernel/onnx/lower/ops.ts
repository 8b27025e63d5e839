/** Fused operators of ONNX's own set that are lowered. */
export type LoweredOp = 'Attention' | 'RotaryEmbedding';

/** Fused operators of onnxruntime that are lowered. A name here without a lowering or a shape rule does not compile. */
export type LoweredMicrosoftOp =
  | 'Attention'
  | 'BiasAdd'
  | 'BiasGelu'
  | 'BiasSplitGelu'
  | 'DequantizeLinear'
  | 'EmbedLayerNormalization'
  | 'FastGelu'
  | 'FusedConv'
  | 'FusedGemm'
  | 'FusedMatMul'
  | 'GatherBlockQuantized'
  | 'GroupNorm'
  | 'GroupQueryAttention'
  | 'LayerNormalization'
  | 'MultiHeadAttention'
  | 'NhwcConv'
  | 'QuickGelu'
  | 'RotaryEmbedding'
  | 'SkipGroupNorm'
  | 'SkipLayerNormalization'
  | 'SkipSimplifiedLayerNormalization'
  | 'TransposeMatMul';
