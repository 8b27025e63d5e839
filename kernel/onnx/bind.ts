import { LensError } from '../errors.ts';
import { isDecodable, sizeOf } from './dtype.ts';
import { ControlFlow } from './control-flow.ts';
import { FOLD_RULES } from './fold/index.ts';
import type { StaticTensor } from './fold/tensor.ts';
import type { Constant, Graph, Node, ValueType } from './graph.ts';
import { constantOf, isReference } from './graph.ts';
import { prune } from './prune.ts';
import { constantValues } from './read.ts';
import { recognise } from './recognise/index.ts';
import { inferTypes } from './shapes/index.ts';
import { ShapeSite } from './shapes/site.ts';
import { simplify } from './simplify.ts';

/** Tensors up to this many elements are computed when binding; nothing larger is ever decoded. */
const FOLD_LIMIT = 1 << 18;
/** Weights that stay in a file are read only up to this many elements. */
const REFERENCE_LIMIT = 1 << 12;

export interface BindOptions {
  /** Sizes of named dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs that are known: they become constants, and whatever follows from them alone is computed now. */
  readonly constants?: Readonly<Record<string, Constant>>;
  /** Shapes of inputs whose dimensions have no names. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

/**
 * Binds every dimension of a graph, in place: afterwards the type of every value is in `graph.types`, and no arithmetic on
 * shapes is left.
 *
 * @throws LensError for an unknown name, a dimension without a size, or shapes that do not fit
 */
export function bind(graph: Graph, { dims = {}, constants = {}, shapes = {} }: BindOptions): void {
  fixInputs(graph, constants);
  const used = new Set<string>();
  graph.inputs = graph.inputs.map((input) => {
    const given = shapes[input.name];
    const bound = input.dims.map((dim, axis) => {
      if (given?.[axis] !== undefined) return given[axis];
      if (typeof dim === 'number') return dim;
      const size = dims[dim];
      if (size === undefined) {
        const known = Object.keys(dims).join(', ') || 'none';
        throw new LensError(
          `dimension "${dim}" of input "${input.name}"${graph.file === undefined ? '' : ` of "${graph.file}"`} has no size`,
          `Bind it; bound are: ${known}`,
        );
      }
      used.add(dim);
      return size;
    });
    graph.types.set(input.name, { dtype: input.dtype, dims: bound });
    return { ...input, dims: bound };
  });
  inferAndFold(graph);
  simplify(graph);
  prune(graph);
  recognise(graph);
}

function fixInputs(graph: Graph, constants: Readonly<Record<string, Constant>>): void {
  for (const [name, constant] of Object.entries(constants)) {
    const input = graph.inputs.find((candidate) => candidate.name === name);
    if (input === undefined) {
      const names = graph.inputs.map((candidate) => candidate.name).join(', ');
      throw new LensError(`the graph has no input "${name}"`, `Its inputs are: ${names}`);
    }
    if (input.dtype !== constant.dtype) {
      throw new LensError(`input "${name}" takes ${input.dtype}, not ${constant.dtype}`, 'Give a tensor of that type');
    }
    graph.inputs = graph.inputs.filter((candidate) => candidate !== input);
    graph.setConstant(name, constant);
  }
}

/**
 * Infers all types in order; computes whatever depends on small constants alone; takes the known branch of every If, and writes out
 * every Loop whose number of rounds is known.
 */
export function inferAndFold(graph: Graph): void {
  const statics = new Map<string, StaticTensor>();
  const known = (name: string): StaticTensor | undefined => {
    const cached = statics.get(name);
    if (cached !== undefined) return cached;
    const constant = graph.constants.get(name);
    if (constant === undefined || !isDecodable(constant.dtype)) return undefined;
    if (sizeOf(constant.dims) > (isReference(constant) ? REFERENCE_LIMIT : FOLD_LIMIT)) return undefined;
    const tensor = { ...constant, data: constantValues(constant) };
    statics.set(name, tensor);
    return tensor;
  };
  const controlFlow = new ControlFlow(graph, (name) => known(name)?.data[0]);
  const kept: Node[] = [];
  const queue = [...graph.nodes].reverse();
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    const resolved = controlFlow.resolve(node);
    if (resolved !== undefined) {
      queue.push(...resolved.toReversed());
      continue;
    }
    const types = inferNode(graph, node, (name) => {
      const tensor = known(name);
      return tensor === undefined ? undefined : Array.from(tensor.data);
    });
    node.outputs.forEach((output, i) => {
      const type = types[i];
      if (output !== '' && type !== undefined) graph.types.set(output, type);
    });
    const folded = fold(node, types, graph, known);
    if (folded === undefined) {
      kept.push(node);
      continue;
    }
    folded.forEach((tensor, i) => {
      const output = node.outputs[i];
      if (output === undefined || output === '') return;
      statics.set(output, tensor);
      graph.setConstant(output, constantOf(tensor.dtype, tensor.dims, tensor.data));
    });
  }
  graph.nodes = kept;
}

/** Types of a node's outputs from what the graph knows of its inputs. */
export function inferNode(
  graph: Graph,
  node: Node,
  values: (name: string) => readonly number[] | undefined,
): readonly ValueType[] {
  const inputs = node.inputs.map((name) => (name === '' ? undefined : graph.type(name)));
  return inferTypes(
    new ShapeSite(node, inputs, (i) => (node.inputs[i] === undefined ? undefined : values(node.inputs[i]))),
  );
}

function fold(
  node: Node,
  types: readonly ValueType[],
  graph: Graph,
  known: (name: string) => StaticTensor | undefined,
): readonly StaticTensor[] | undefined {
  if (node.domain !== '') return undefined;
  const outputs = types.slice(0, node.outputs.length);
  const store = (values: readonly ArrayLike<number>[]): readonly StaticTensor[] =>
    outputs.map((type, i) => ({ ...type, data: values[i]! }));
  // A shape is known although the tensor that has it is not.
  if (node.op === 'Shape' || node.op === 'Size') {
    const { dims } = graph.type(node.inputs[0]!);
    const start = node.attributes.start?.kind === 'int' ? node.attributes.start.value : 0;
    const end = node.attributes.end?.kind === 'int' ? node.attributes.end.value : dims.length;
    return store([node.op === 'Size' ? [sizeOf(dims)] : dims.slice(start, end)]);
  }
  const rule = FOLD_RULES[node.op];
  if (rule === undefined || outputs.some((type) => sizeOf(type.dims) > FOLD_LIMIT || !isDecodable(type.dtype)))
    return undefined;
  const inputs: (StaticTensor | undefined)[] = [];
  for (const name of node.inputs) {
    const tensor = name === '' ? undefined : known(name);
    if (name !== '' && tensor === undefined) return undefined;
    inputs.push(tensor);
  }
  return store(rule({ node, inputs, outputs, input: (i) => inputs[i]! }));
}
