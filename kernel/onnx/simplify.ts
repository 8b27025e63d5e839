import { intAttr } from './attributes.ts';
import type { Graph, Node } from './graph.ts';
import { sizeOf } from './dtype.ts';
import { constantValues } from './read.ts';
import { normalAxis } from './shapes/site.ts';

/** The value that a node's first output merely repeats, if it does. Types are known. */
type Repeats = (graph: Graph, node: Node) => string | undefined;

const first: Repeats = (_graph, node) => node.inputs[0];

const unlessShapeChanges: Repeats = (graph, node) => {
  const before = graph.type(node.inputs[0]!);
  const after = graph.type(node.outputs[0]!);
  return before.dtype === after.dtype && before.dims.join() === after.dims.join() ? node.inputs[0] : undefined;
};

/** Without a mask that someone reads, and not told to train. */
const atInference: Repeats = (graph, node) => {
  const train = node.inputs[2];
  const [given] = train === undefined || train === '' ? [0] : knownValues(graph, train);
  return (node.outputs[1] ?? '') === '' && given === 0 ? node.inputs[0] : undefined;
};

/** Values of a constant; undefined stands for what a run decides. */
const knownValues = (graph: Graph, name: string): ArrayLike<number> & Iterable<number | undefined> => {
  const constant = graph.constants.get(name);
  return constant === undefined ? [] : constantValues(constant);
};

/** Moving only axes of size 1 leaves the shape as it is just when the order of the others is kept. */
const unlessAxesMove: Repeats = (graph, node) => {
  const perm = node.attributes.perm?.kind === 'ints' ? node.attributes.perm.value : [];
  const { dims } = graph.type(node.inputs[0]!);
  const moved = perm.filter((axis) => dims[axis] !== 1);
  const inOrder = perm.length > 0 && moved.every((axis, i) => i === 0 || axis > moved[i - 1]!);
  return inOrder ? unlessShapeChanges(graph, node) : undefined;
};

/** A Concat with empty parts (a key-value cache of length 0) joins the others only. */
const dropEmptyParts: Repeats = (graph, node) => {
  const axis = normalAxis(intAttr(node, 'axis'), graph.dims(node.outputs[0]!).length);
  const full = node.inputs.filter((input) => graph.dims(input)[axis] !== 0);
  if (full.length > 0) node.inputs = full;
  return node.inputs.length === 1 ? node.inputs[0] : undefined;
};

const REPEATS: Readonly<Record<string, Repeats>> = {
  Identity: first,
  Dropout: atInference,
  Cast: unlessShapeChanges,
  Reshape: unlessShapeChanges,
  Flatten: unlessShapeChanges,
  Squeeze: unlessShapeChanges,
  Unsqueeze: unlessShapeChanges,
  Expand: unlessShapeChanges,
  Slice: (graph, node) => (steps(graph, node) ? undefined : unlessShapeChanges(graph, node)),
  Tile: unlessShapeChanges,
  Concat: dropEmptyParts,
  Transpose: unlessAxesMove,
};

/** A Slice with steps other than 1 may reverse an axis without changing the shape. */
const steps = (graph: Graph, node: Node): boolean =>
  node.inputs[4] !== undefined && sizeOf(graph.dims(node.inputs[0]!)) > 1;

/** Removes, in place, the nodes that only repeat a value: Identity, Dropout, and those whose shape is the same before and after. */
export function simplify(graph: Graph): void {
  const outputs = new Set(graph.outputs);
  const replaced = new Map<string, string>();
  const final = (name: string): string => replaced.get(name) ?? name;
  graph.nodes = graph.nodes.filter((node) => {
    node.inputs = node.inputs.map(final);
    if (node.domain !== '') {
      dropEmptyCache(graph, node);
      return true;
    }
    const output = node.outputs[0]!;
    const source = REPEATS[node.op]?.(graph, node);
    if (source === undefined) return true;
    if (outputs.has(output)) {
      // The graph's outputs keep their names.
      node.op = 'Identity';
      node.inputs = [source];
      node.attributes = {};
      return true;
    }
    replaced.set(output, source);
    return false;
  });
}

/** Where onnxruntime's attention takes the keys and values of earlier runs. */
const CACHES: Readonly<Record<string, readonly number[]>> = { GroupQueryAttention: [3, 4] };

/** A cache of length 0 is the same as none; then it does not matter what its other sizes were declared to be. */
function dropEmptyCache(graph: Graph, node: Node): void {
  for (const i of CACHES[node.op] ?? []) {
    const cache = node.inputs[i] ?? '';
    if (cache !== '' && graph.dims(cache)[2] === 0) node.inputs[i] = '';
  }
}
