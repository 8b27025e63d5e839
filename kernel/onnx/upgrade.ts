import { LensError } from '../errors.ts';
import { nodeError } from './attributes.ts';
import type { Graph, Node } from './graph.ts';
import { constantOf, int } from './graph.ts';

/** The oldest operator set that is read, and the one that every graph is brought to at least. */
const OLDEST = 11;
export const CANONICAL_OPSET = 18;

/** Rewrites one node of an older operator set in place; may return nodes to put in its stead. */
type Upgrade = (graph: Graph, node: Node) => readonly Node[] | undefined;

const constantInts = (graph: Graph, hint: string, values: readonly number[]): string => {
  const name = graph.fresh(hint);
  graph.setConstant(name, constantOf('int64', [values.length], values));
  return name;
};

/** `axes` (or `split`) became an input. */
const attributeToInput =
  (attribute: string): Upgrade =>
  (graph, node) => {
    const value = node.attributes[attribute];
    if (value?.kind === 'ints') {
      node.inputs = [node.inputs[0]!, constantInts(graph, attribute, value.value)];
      node.attributes = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name !== attribute));
    }
    return undefined;
  };

/** Until opset 12 Softmax normalised over all axes from `axis` (default 1) on, as if flattened to a matrix. */
const flattenedSoftmax: Upgrade = (graph, node) => {
  const axis = node.attributes.axis?.kind === 'int' ? node.attributes.axis.value : 1;
  if (axis === -1) return undefined;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const [shape, matrix, result] = [graph.fresh('shape'), graph.fresh('matrix'), graph.fresh('softmax')];
  const make = (op: string, inputs: string[], outputs: string[], attributes: Node['attributes'] = {}): Node => ({
    ...{ op, domain: '', name: node.name, inputs, outputs, attributes, file: node.file },
  });
  return [
    make('Shape', [x], [shape]),
    make('Flatten', [x], [matrix], { axis: int(axis) }),
    make(node.op, [matrix], [result], { axis: int(-1) }),
    make('Reshape', [result, shape], [y]),
  ];
};

const splitEqually: Upgrade = (_graph, node) => {
  if (node.inputs.length < 2 && node.attributes.num_outputs === undefined) {
    node.attributes.num_outputs = int(node.outputs.length);
  }
  return undefined;
};

/** [the operator set that changed the operator, the operator, how to rewrite what is older]. */
const UPGRADES: readonly (readonly [version: number, op: string, upgrade: Upgrade])[] = [
  ...['Squeeze', 'Unsqueeze', 'ReduceSum'].map((op) => [13, op, attributeToInput('axes')] as const),
  [13, 'Split', attributeToInput('split')],
  [13, 'Softmax', flattenedSoftmax],
  [13, 'LogSoftmax', flattenedSoftmax],
  ...['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map(
    (kind) => [18, `Reduce${kind}`, attributeToInput('axes')] as const,
  ),
  [18, 'Split', splitEqually],
];

/**
 * Brings a graph to operator set 18 or what newer one it has, so that shape and gradient rules know one form of each operator.
 *
 * @throws LensError if the graph is older than operator set 11
 */
export function upgrade(graph: Graph): void {
  const from = graph.opsets.get('') ?? CANONICAL_OPSET;
  if (from < OLDEST) {
    throw new LensError(
      `"${graph.file ?? 'the model'}" uses ONNX operator set ${String(from)}, older than ${String(OLDEST)}`,
      'Convert it with onnx.version_converter, or export it again',
    );
  }
  upgradeNodes(graph, from);
  graph.opsets.set('', Math.max(from, CANONICAL_OPSET));
}

function upgradeNodes(graph: Graph, from: number): void {
  graph.nodes = graph.nodes.flatMap((node) => {
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'graph') upgradeNodes(attribute.value, from);
    }
    if (node.domain !== '') return [node];
    if (node.op === 'GroupNormalization' && from < 21) {
      throw nodeError(
        node,
        'GroupNormalization of operator set 18 is deprecated',
        'Export the model with operator set 21 or newer',
      );
    }
    let result: readonly Node[] = [node];
    for (const [version, op, rewrite] of UPGRADES) {
      if (op === node.op && from < version) result = rewrite(graph, node) ?? result;
    }
    return result;
  });
}
