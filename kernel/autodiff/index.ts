/** Reverse-mode differentiation of ONNX graphs: the gradient is written as ordinary ONNX nodes. */
export { differentiate } from './differentiate.ts';
export type { DifferentiateOptions, Objective } from './path.ts';
export { gradientRule, lowerPath } from './path.ts';
export type { DifferentiableOp, MicrosoftOp, ZeroGradientOp } from './rules/index.ts';
export { MICROSOFT_RULES, RULES } from './rules/index.ts';
export type { Contribution, Piece, Rule, Thunk } from './site.ts';
export { Site } from './site.ts';
