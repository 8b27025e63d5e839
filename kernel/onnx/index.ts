/** Reading, binding, joining and writing ONNX graphs. Knows nothing of vision, language or gradients. */
export type { DType } from './dtype.ts';
export { decode, encode, sizeOf } from './dtype.ts';
export type { Attribute, Attributes, Constant, FileRange, GraphInput, Node, ValueType } from './graph.ts';
export { Graph, constantOf, consumers, float, int, ints, isReference, producers, sortNodes, text } from './graph.ts';
export { constantData, constantValues, readGraph } from './read.ts';
export { folderOfAll, serialise, weightsFolder } from './write.ts';
export type { BindOptions } from './bind.ts';
export { bind, inferAndFold } from './bind.ts';
export { computeInFloat32 } from './float32.ts';
export { prune } from './prune.ts';
export { simplify } from './simplify.ts';
export type { Part } from './compose.ts';
export { addInput, append, cloneGraph, prefixed } from './compose.ts';
export type { NodeOptions } from './builder.ts';
export { Builder } from './builder.ts';
export { gatherLate } from './gather-late.ts';
export { LOWERINGS, lower, loweringOf } from './lower/index.ts';
