import { addInput, append, bind, Builder, computeInFloat32, constantOf, int, prune, readGraph } from '../onnx/index.ts';
import type { Constant, DType, Graph } from '../onnx/index.ts';
import { assumeRealViews, dropFullChoice } from './real-views.ts';
import type { FixedTensor, PixelLayout, ViewStack, VisionPlan } from './vision-plan.ts';

/** What the encoders' part of a score graph depends on. */
export interface VisionShape {
  readonly from: 'mask' | 'pixels' | 'features';
  readonly batch: number;
  readonly maskRows: number;
  readonly maskCols: number;
  readonly plan: VisionPlan;
  /** Of a feature row. */
  readonly width: number;
}

/**
 * From the mask or the pixels to the feature rows: [batch, plan.rows, width].
 * @param prepare may rewrite each stack's encoder before it is joined to the graph, where its values' names begin with `prefix`
 * @param prepareFusion may rewrite the graph that fuses several encoders, as `prepare` does
 */
export function appendVision(
  b: Builder,
  sources: Readonly<Record<string, string>>,
  shape: VisionShape,
  prepare?: (encoder: Graph, stack: ViewStack, prefix: string) => void,
  prepareFusion?: (fusion: Graph, prefix: string) => void,
): string {
  const { plan, batch } = shape;
  const features = plan.stacks.map((stack) => {
    const pixels =
      shape.from === 'mask'
        ? blend(b, shape, stack)
        : addInput(b.graph, `pixels/${stack.name}`, 'float32', pixelDims(stack, batch));
    const input = arranged(b, pixels, stack.layout);
    const prefix = `vision/${stack.name}/`;
    const encoder = boundStack(sources, stack, b.dims(input), batch);
    prepare?.(encoder, stack, prefix);
    const output = append(b.graph, { graph: encoder, prefix, feeds: { [stack.input]: input } })[encoder.outputs[0]!]!;
    return b.reshape(output, [batch, stack.views.length * stack.rows * stack.cols, lastDim(b, output)]);
  });
  return assembled(b, plan, fused(b, sources, plan, features, batch, prepareFusion));
}

/** [b, n, 3, height, width] */
export function pixelDims({ views, height, width }: ViewStack, batch: number): number[] {
  return [batch, views.length, 3, height, width];
}

/** Pixels [b, n, 3, height, width] as an encoder takes them. */
export function arranged(b: Builder, pixels: string, layout: PixelLayout): string {
  if (layout === 'tiles') return pixels;
  if (typeof layout === 'function') return layout(b, pixels);
  const [batch, views, ...rest] = b.dims(pixels) as [number, number, ...number[]];
  return b.reshape(pixels, [batch * views, ...rest]);
}

/** The feature rows of the encoders' (or the fusion's) features. */
export function assembled(b: Builder, plan: VisionPlan, features: readonly string[]): string {
  if (plan.assemble !== undefined) return plan.assemble(b, features);
  return features.length === 1 ? features[0]! : b.op('Concat', features, { axis: int(1) });
}

function fused(
  b: Builder,
  sources: Readonly<Record<string, string>>,
  { fusion, stacks }: VisionPlan,
  features: readonly string[],
  batch: number,
  prepare?: (graph: Graph, prefix: string) => void,
): readonly string[] {
  if (fusion === undefined) return features;
  const entries = Object.entries(fusion.inputs);
  const feeds = Object.fromEntries(
    entries.map(([input, stack]) => [input, features[stacks.findIndex(({ name }) => name === stack)]!]),
  );
  const shapes = Object.fromEntries(Object.entries(feeds).map(([input, value]) => [input, b.dims(value)]));
  const graph = boundEncoder(sources[fusion.graph]!, shapes, { batch, constants: {} });
  prepare?.(graph, 'fusion/');
  return [append(b.graph, { graph, prefix: 'fusion/', feeds })[graph.outputs[0]!]!];
}

/** The encoder of a stack, bound for pixels as it takes them. */
export function boundStack(
  sources: Readonly<Record<string, string>>,
  { graph, input, views, constants = {} }: ViewStack,
  pixels: readonly number[],
  batch: number,
): Graph {
  return boundEncoder(sources[graph]!, { [input]: pixels }, { batch, views: views.length, constants });
}

/** An encoder's graph with one output, its features. */
function boundEncoder(
  file: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  { batch, views = 1, constants }: EncoderOptions,
): Graph {
  const graph = readGraph(file);
  computeInFloat32(graph);
  graph.outputs = [featuresOutput(graph.outputs)];
  for (const input of Object.keys(shapes)) assumeRealViews(graph, input, batch, views);
  const fixed: Record<string, Constant> = {};
  for (const [input, tensor] of Object.entries(constants)) {
    if (!graph.inputs.some((declared) => declared.name === input)) continue;
    if (typeof tensor.values === 'number') fill(graph, input, repeatedDims(tensor, batch), tensor.dtype, tensor.values);
    else fixed[input] = repeated(tensor, tensor.values, batch);
  }
  bind(graph, { shapes, constants: fixed });
  dropFullChoice(graph);
  return graph;
}

interface EncoderOptions {
  readonly batch: number;
  /** Of each picture. */
  readonly views?: number;
  readonly constants: Readonly<Record<string, FixedTensor>>;
}

/** `image_features`, or whatever comes first. */
export function featuresOutput(outputs: readonly string[]): string {
  return outputs.find((name) => name === 'image_features') ?? outputs[0]!;
}

function repeatedDims({ dims: [first = 1, ...rest] }: FixedTensor, batch: number): number[] {
  return [first * batch, ...rest];
}

function repeated(tensor: FixedTensor, values: readonly number[], batch: number): Constant {
  return constantOf(tensor.dtype, repeatedDims(tensor, batch), Array.from({ length: batch }, () => values).flat());
}

/** Makes an input of a graph that is not bound yet a tensor of one value, which takes no room in the file. */
function fill(graph: Graph, input: string, dims: readonly number[], dtype: DType, value: number): void {
  graph.inputs = graph.inputs.filter(({ name }) => name !== input);
  graph.types.delete(input);
  const shape = graph.fresh('fill');
  graph.setConstant(shape, constantOf('int64', [dims.length], dims));
  graph.nodes.unshift({
    ...{ op: 'ConstantOfShape', domain: '', name: shape, inputs: [shape], outputs: [input] },
    attributes: { value: { kind: 'tensor', value: constantOf(dtype, [1], [value]) } },
  });
}

function lastDim(b: Builder, value: string): number {
  return b.dims(value).at(-1)!;
}

/** Every view with the part of the mask that it shows: [batch, n, 3, height, width]. */
function blend(b: Builder, { batch, maskRows, maskCols }: VisionShape, stack: ViewStack): string {
  const { graph } = b;
  const { name, height, width, views } = stack;
  const image = addInput(graph, `image/${name}`, 'float32', pixelDims(stack, 1));
  const baseline = addInput(graph, `baseline/${name}`, 'float32', pixelDims(stack, 1));
  const noise = addInput(graph, `noise/${name}`, 'float32', pixelDims(stack, batch));
  const several = views.length === 1 ? [] : [views.length];
  const rows = addInput(graph, `up-rows/${name}`, 'float32', [...several, height, maskRows]);
  const cols = addInput(graph, `up-cols/${name}`, 'float32', [...several, maskCols, width]);
  const given = views.length === 1 ? 'mask' : b.reshape('mask', [batch, 1, maskRows, maskCols]);
  const up = b.op('MatMul', [b.op('MatMul', [rows, given]), cols]);
  const mask = b.reshape(up, [batch, views.length, 1, height, width]);
  return b.add(b.add(b.mul(mask, b.sub(image, baseline)), baseline), noise);
}

/** A graph of the builder's own nodes only, as small as it can be. */
export function finished(graph: Graph, output: string): Graph {
  graph.outputs = [output];
  prune(graph);
  return graph;
}
