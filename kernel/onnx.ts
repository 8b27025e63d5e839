/**
 * The public API of `lvlm-lens/onnx`: gradients of ONNX files, and the parts they are made with. Useful without anything else of
 * this package: it knows nothing of vision, language or explanations.
 */
export { LensError } from './errors.ts';
export type { Derived, DifferentiateFileOptions, WriteOptions } from './autodiff/file.ts';
export { differentiate } from './autodiff/file.ts';
export type { Objective } from './autodiff/index.ts';
export { differentiate as differentiateGraph } from './autodiff/index.ts';
export * from './onnx/index.ts';
