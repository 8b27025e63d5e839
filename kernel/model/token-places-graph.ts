import {
  addInput,
  append,
  Builder,
  findAttention,
  Graph,
  int,
  lowerAttention,
  producers,
  prune,
  sizeOf,
} from '../onnx/index.ts';
import type { ScoreShape, ScoreSources } from './score-graph.ts';
import { arranged, boundStack, pixelDims } from './vision-graph.ts';
import type { ViewStack } from './vision-plan.ts';

/**
 * The keys of each encoder's first attention when some of the view's patches are lit: those whose number (from 1, row by row) has an odd quotient by
 * the input `divisor` [1]. A token whose keys change sees such a patch; so the digits of its number show in a few runs, whatever the order in which
 * an encoder puts its tokens.
 *
 * Lit is the encoder's last map before that attention, [n, channels, rows, cols], which a convolution gives; where there is none, the pixels.
 *
 * Outputs, for each stack v of n views whose encoder has attention: `keys/v` [n, numbers, tokens] and `grid/v` [2], the patches' rows and columns.
 */
export function buildTokenPlacesGraph(sources: ScoreSources, { plan }: ScoreShape): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph, 'places');
  const divisor = addInput(graph, 'divisor', 'float32', [1]);
  for (const stack of plan.stacks) {
    const { name, input, views } = stack;
    const dims = pixelDims(stack, 1);
    const dark = b.zeros(dims, divisor);
    const encoder = boundStack(sources, stack, b.dims(arranged(b, dark, stack.layout)), 1);
    lowerAttention(encoder);
    const [first] = findAttention(encoder);
    if (first === undefined) continue;
    encoder.outputs = [first.keys];
    prune(encoder);
    const map = spatialMap(encoder, first.keys);
    const tokens = encoder.dims(first.keys).at(-1)!;
    const [rows, cols] =
      map === undefined ? patchGrid(stack, tokens) : (encoder.dims(map).slice(-2) as [number, number]);
    const lit = litPatches(b, divisor, rows, cols);
    if (map !== undefined) cutAt(encoder, map);
    const feeds =
      map === undefined ? { [input]: pixelsOf(b, stack, lit, rows, cols) } : { [map]: mapOf(b, encoder, map, lit) };
    const keys = append(graph, { graph: encoder, prefix: `vision/${name}/`, feeds })[first.keys]!;
    const numbers = sizeOf(b.dims(keys)) / (views.length * tokens);
    graph.outputs.push(b.op('Reshape', [keys, b.ints([views.length, numbers, tokens])], {}, { as: `keys/${name}` }));
    graph.outputs.push(b.op('Identity', [b.ints([rows, cols])], {}, { as: `grid/${name}` }));
  }
  prune(graph);
  return graph;
}

/** The last map [n, channels, rows, cols] that a convolution gives on the way to a value; undefined where there is none of several places. */
export function spatialMap(graph: Graph, value: string): string | undefined {
  const needed = new Set([value]);
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    const [output] = node.outputs as [string];
    const dims = graph.dims(output);
    if (node.op === 'Conv' && dims.length === 4 && dims[2]! * dims[3]! > 1) return output;
    for (const input of node.inputs) needed.add(input);
  }
  return undefined;
}

/** Makes a value an input; what made it goes. */
function cutAt(graph: Graph, value: string): void {
  const maker = producers(graph).get(value);
  graph.nodes = graph.nodes.filter((node) => node !== maker);
  prune(graph);
  graph.inputs = [{ name: value, ...graph.type(value) }];
}

/** Patches as the tokens of a view; what are too many (class tokens) belong to none, and a cell of the features may hold several, m × m. */
function patchGrid({ views, rows, cols, name }: ViewStack, tokens: number): [number, number] {
  for (let m = Math.floor(Math.sqrt(tokens / (rows * cols))); m >= 1; m--) {
    if (tokens >= rows * cols * m * m) return [rows * m, cols * m];
  }
  throw new Error(`${tokens} tokens of ${views.length} views do not fill the ${rows} × ${cols} features of ${name}`);
}

/** 1 where a patch is lit and 0 where not: [rows, cols]. */
function litPatches(b: Builder, divisor: string, rows: number, cols: number): string {
  const number = (value: number) => b.constant('float32', [], [value]);
  const numbers = b.op('Range', [number(1), number(rows * cols + 1), number(1)]);
  const digit = b.op('Mod', [b.op('Floor', [b.div(numbers, divisor)]), number(2)], { fmod: int(1) });
  return b.reshape(digit, [rows, cols]);
}

/** Different in each channel, so that no normalisation over the channels undoes it, and stronger than what tells one position from another. */
const light = (channel: number): number => 8 * (1.5 + Math.sin(2.4 * channel));

/** A map whose lit places hold light, [n, channels, rows, cols]. */
function mapOf(b: Builder, encoder: Graph, map: string, lit: string): string {
  const dims = encoder.dims(map);
  const channels = dims[1]!;
  const values = b.constant(
    'float32',
    [channels, 1, 1],
    Array.from({ length: channels }, (_, c) => light(c)),
    'light',
  );
  return b.expand(b.mul(values, lit), dims);
}

/** Pixels whose lit patches are bright, as the encoder takes them. */
function pixelsOf(b: Builder, stack: ViewStack, lit: string, rows: number, cols: number): string {
  const dims = pixelDims(stack, 1);
  const { height, width } = stack;
  const spread = b.expand(b.reshape(lit, [rows, 1, cols, 1]), [rows, height / rows, cols, width / cols]);
  const values = b.constant('float32', [3, 1, 1], [0, 1, 2].map(light), 'light');
  return arranged(b, b.expand(b.mul(values, b.reshape(spread, [height, width])), dims), stack.layout);
}
