import { LensError } from '../errors.ts';
import { intAttr, nodeError, stringAttr } from './attributes.ts';
import type { Graph, Node } from './graph.ts';
import { constantOf, int, text } from './graph.ts';

/** The oldest operator set that is read, and the one that every graph is brought to at least. */
const OLDEST = 9;
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
    // onnxruntime refuses two nodes of one name.
    ...{ op, domain: '', name: op === node.op ? node.name : outputs[0]!, inputs, outputs, attributes, file: node.file },
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

const without = (node: Node, ...names: readonly string[]): Node['attributes'] =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));

/** `ratio` became an input; at inference it does not matter, and the mask is all true. */
const dropoutRatio: Upgrade = (_graph, node) => {
  node.attributes = without(node, 'ratio');
  return undefined;
};

/** More outputs than one meant training; files for inference declare them now and then, but nothing reads them. */
const inferenceOnly: Upgrade = (_graph, node) => {
  node.outputs = node.outputs.slice(0, 1);
  return undefined;
};

/** Rounding (i + ½)/scale down is rounding (i + ½)/scale − ½ to the nearest, half up; rounding half down becomes rounding up. */
const NEAREST_OF_TF: Readonly<Record<string, string>> = { floor: 'round_prefer_ceil', round_prefer_floor: 'ceil' };

/** tf_half_pixel_for_nn is gone: its samples are those of half_pixel, moved by half a pixel. */
const halfPixelForNearest: Upgrade = (_graph, node) => {
  const mode = node.attributes.coordinate_transformation_mode;
  if (mode?.kind !== 'string' || mode.value !== 'tf_half_pixel_for_nn') return undefined;
  const rounding = stringAttr(node, 'nearest_mode', 'round_prefer_floor');
  const nearest = NEAREST_OF_TF[rounding];
  if (stringAttr(node, 'mode', 'nearest') !== 'nearest' || nearest === undefined) {
    throw nodeError(
      node,
      `Resize with coordinates "tf_half_pixel_for_nn" and rounding "${rounding}" is not supported`,
      'Export the model with operator set 13 or newer',
    );
  }
  node.attributes = {
    ...node.attributes,
    coordinate_transformation_mode: text('half_pixel'),
    nearest_mode: text(nearest),
  };
  return undefined;
};

/** Scale and bias were one number for each group; now for each channel. */
const scaleByChannel: Upgrade = (graph, node) => {
  const [x, ...vectors] = node.inputs as [string, string, string];
  const groups = intAttr(node, 'num_groups');
  const made: Node[] = [];
  const op = (kind: string, inputs: string[], attributes: Node['attributes'] = {}): string => {
    const output = graph.fresh(`${node.name}/${kind}`);
    made.push({ op: kind, domain: '', name: output, inputs, outputs: [output], attributes, file: node.file });
    return output;
  };
  const one = constantInts(graph, 'one', [1]);
  const channels = op('Shape', [x], { start: int(1), end: int(2) });
  const each = op('Div', [channels, constantInts(graph, 'groups', [groups])]);
  const shape = op('Concat', [one, each], { axis: int(0) });
  const spread = vectors.map((vector) =>
    op('Reshape', [op('Expand', [op('Unsqueeze', [vector, one]), shape]), constantInts(graph, 'all', [-1])]),
  );
  graph.opsets.set('', Math.max(21, graph.opsets.get('') ?? 0));
  return [...made, { ...node, inputs: [x, ...spread] }];
};

/** Slices, pads and TopK took as attributes what are inputs now; as a constant each, in the order of the inputs. */
const attributesToInputs =
  (...attributes: readonly string[]): Upgrade =>
  (graph, node) => {
    const inputs = attributes.map((name): string => {
      const value = node.attributes[name];
      if (value === undefined) return '';
      return constantInts(graph, name, value.kind === 'ints' ? value.value : [Number(value.value)]);
    });
    node.inputs = [node.inputs[0]!, ...inputs];
    node.attributes = without(node, ...attributes);
    return undefined;
  };

/** A number that was an attribute, as an input of the type of the node's first. */
function scalarInput(graph: Graph, node: Node, attribute: string): { readonly name: string; readonly nodes: Node[] } {
  const value = node.attributes[attribute];
  if (value?.kind !== 'float' && value?.kind !== 'int') return { name: '', nodes: [] };
  const [constant, name] = [graph.fresh(attribute), graph.fresh(attribute)];
  graph.setConstant(constant, constantOf('float32', [], [value.value]));
  const inputs = [constant, node.inputs[0]!];
  return {
    name,
    nodes: [{ op: 'CastLike', domain: '', name, inputs, outputs: [name], attributes: {}, file: node.file }],
  };
}

const clipBounds: Upgrade = (graph, node) => {
  const [low, high] = [scalarInput(graph, node, 'min'), scalarInput(graph, node, 'max')];
  const inputs = [node.inputs[0]!, low.name, high.name];
  return [...low.nodes, ...high.nodes, { ...node, inputs, attributes: without(node, 'min', 'max') }];
};

const padAmountsAndValue: Upgrade = (graph, node) => {
  const value = scalarInput(graph, node, 'value');
  const pads = node.attributes.pads?.kind === 'ints' ? node.attributes.pads.value : [];
  const inputs = [node.inputs[0]!, constantInts(graph, 'pads', pads), ...(value.name === '' ? [] : [value.name])];
  return [...value.nodes, { ...node, inputs, attributes: without(node, 'pads', 'value') }];
};

/** Resize before operator set 11, and Upsample before it: scales only, coordinates divided by them, rounded down. */
const firstResize: Upgrade = (_graph, node) => {
  const mode = stringAttr(node, 'mode', 'nearest');
  node.op = 'Resize';
  node.inputs = [node.inputs[0]!, '', node.inputs[1]!];
  node.attributes = {
    mode: text(mode),
    coordinate_transformation_mode: text('asymmetric'),
    ...(mode === 'nearest' ? { nearest_mode: text('floor') } : {}),
  };
  return undefined;
};

/** [the operator set that changed the operator, the operator, how to rewrite what is older]. */
const UPGRADES: readonly (readonly [version: number, op: string, upgrade: Upgrade])[] = [
  ...['Squeeze', 'Unsqueeze', 'ReduceSum'].map((op) => [13, op, attributeToInput('axes')] as const),
  [13, 'Split', attributeToInput('split')],
  [10, 'Slice', attributesToInputs('starts', 'ends', 'axes')],
  [10, 'TopK', attributesToInputs('k')],
  [10, 'Upsample', firstResize],
  [11, 'Clip', clipBounds],
  [11, 'Pad', padAmountsAndValue],
  [11, 'Resize', firstResize],
  [12, 'Dropout', dropoutRatio],
  [13, 'Hardmax', flattenedSoftmax],
  [13, 'Resize', halfPixelForNearest],
  [14, 'BatchNormalization', inferenceOnly],
  [13, 'Softmax', flattenedSoftmax],
  [13, 'LogSoftmax', flattenedSoftmax],
  ...['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map(
    (kind) => [18, `Reduce${kind}`, attributeToInput('axes')] as const,
  ),
  [18, 'Split', splitEqually],
  [21, 'GroupNormalization', scaleByChannel],
];

/**
 * Brings a graph to operator set 18 or what newer one it has, so that shape and gradient rules know one form of each operator.
 *
 * @throws LensError if the graph is older than operator set 9
 */
export function upgrade(graph: Graph): void {
  const from = graph.opsets.get('') ?? CANONICAL_OPSET;
  if (from < OLDEST) {
    throw new LensError(
      `"${graph.file ?? 'the model'}" uses ONNX operator set ${String(from)}, older than ${String(OLDEST)}`,
      'Convert it with onnx.version_converter, or export it again',
    );
  }
  graph.opsets.set('', Math.max(from, CANONICAL_OPSET));
  upgradeNodes(graph, from);
}

function upgradeNodes(graph: Graph, from: number): void {
  graph.nodes = graph.nodes.flatMap((node) => {
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'graph') upgradeNodes(attribute.value, from);
    }
    if (node.domain !== '') return [node];
    const was = node.op;
    let result: readonly Node[] = [node];
    for (const [version, op, rewrite] of UPGRADES) {
      if (op === was && from < version) result = rewrite(graph, node) ?? result;
    }
    return result;
  });
}
