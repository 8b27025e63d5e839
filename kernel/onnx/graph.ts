import type { DType } from './dtype.ts';
import { byteLength, encode, sizeOf } from './dtype.ts';

/** Type and shape of a value whose shape is fully known. */
export interface ValueType {
  readonly dtype: DType;
  readonly dims: readonly number[];
}

/** Bytes that stay where they are on disk: weights are referred to, never copied. */
export interface FileRange {
  /** Absolute path. */
  readonly file: string;
  /** In bytes from the start of the file. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** A tensor known before the graph runs: small ones inline (little-endian), all others as a range of a file. */
export interface Constant extends ValueType {
  readonly data: Uint8Array | FileRange;
}

/** A node's attribute; int and float are told apart because the file format does. */
export type Attribute =
  | { readonly kind: 'int' | 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints' | 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Constant }
  | { readonly kind: 'graph'; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One operator application. An empty name among inputs or outputs stands for an omitted optional one, as in the file. */
export interface Node {
  op: string;
  /** '' is ONNX's own operator set; ORT's is 'com.microsoft'. */
  domain: string;
  name: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
  /** The file that it was read from, for messages; undefined where we wrote it. */
  file?: string | undefined;
}

/** An input of a graph; a string names a dimension that is not known before it is bound. */
export interface GraphInput {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly (number | string)[];
}

/**
 * A graph to be rewritten in place. `nodes` is in an order in which it can run; `types` holds what is known of the values,
 * everything after `bind`.
 */
export class Graph {
  nodes: Node[] = [];
  inputs: GraphInput[] = [];
  outputs: string[] = [];
  readonly constants = new Map<string, Constant>();
  readonly types = new Map<string, ValueType>();
  /** Version of each operator set by domain. */
  readonly opsets = new Map<string, number>();
  /** The file that it was read from, for messages. */
  file: string | undefined;
  #serial = 0;

  /** A value name that nothing in this graph has; `hint` makes the written model readable. */
  fresh(hint: string): string {
    let name: string;
    do name = `${hint}~${String(this.#serial++)}`;
    while (this.types.has(name) || this.constants.has(name));
    return name;
  }

  /** Registers a constant under a name and records its type. */
  setConstant(name: string, constant: Constant): void {
    this.constants.set(name, constant);
    this.types.set(name, { dtype: constant.dtype, dims: constant.dims });
  }

  /** Type of a value that must be known, that is after `bind`. */
  type(name: string): ValueType {
    const type = this.types.get(name);
    if (type === undefined) throw new Error(`the type of value "${name}" is not known: bind the graph first`);
    return type;
  }

  dims(name: string): readonly number[] {
    return this.type(name).dims;
  }
}

/** A constant with its bytes inline, from numbers. */
export function constantOf(dtype: DType, dims: readonly number[], values: ArrayLike<number>): Constant {
  if (sizeOf(dims) !== values.length) {
    throw new Error(`a constant of shape [${dims.join(', ')}] cannot hold ${String(values.length)} values`);
  }
  return { dtype, dims, data: encode(dtype, values) };
}

/** Whether a constant's bytes stay in a file. */
export const isReference = (constant: Constant): constant is Constant & { readonly data: FileRange } =>
  !(constant.data instanceof Uint8Array);

/** Makes a graph say that it uses an operator that came with this version of ONNX's own set. */
export function raiseOpset(graph: Graph, version: number): void {
  graph.opsets.set('', Math.max(version, graph.opsets.get('') ?? version));
}

/** Bytes that a constant takes. */
export const constantBytes = (constant: ValueType): number => byteLength(constant.dtype, sizeOf(constant.dims));

/** Attribute constructors, for code that writes nodes. */
export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

/** Which node makes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const map = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') map.set(output, node);
  return map;
}

/** Which nodes read each value, in graph order; a node that reads it twice is listed once. */
export function consumers(graph: Graph): Map<string, Node[]> {
  const map = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(inputsWithCaptures(node))) {
      const list = map.get(input);
      if (list === undefined) map.set(input, [node]);
      else list.push(node);
    }
  }
  return map;
}

/** A node's inputs and whatever its subgraphs (If, Loop) take from around them. */
export function inputsWithCaptures(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'graph') names.push(...captures(attribute.value));
  }
  return names;
}

function captures(graph: Graph): string[] {
  const own = new Set([...graph.constants.keys(), ...graph.inputs.map((input) => input.name)]);
  const taken: string[] = [];
  for (const node of graph.nodes) {
    for (const name of inputsWithCaptures(node)) if (!own.has(name)) taken.push(name);
    for (const output of node.outputs) own.add(output);
  }
  for (const name of graph.outputs) if (!own.has(name)) taken.push(name);
  return taken;
}

/** Sorts the nodes so that each comes after what it reads; keeps the order otherwise. */
export function sortNodes(graph: Graph): void {
  const maker = producers(graph);
  const done = new Set<Node>();
  const sorted: Node[] = [];
  for (const root of graph.nodes) {
    // Iterative: a deep model's chain of nodes would overflow the call stack.
    const stack: Node[] = [root];
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      if (done.has(node)) {
        stack.pop();
        continue;
      }
      const waiting = inputsWithCaptures(node)
        .map((name) => maker.get(name))
        .filter((source) => source !== undefined && source !== node && !done.has(source)) as Node[];
      if (waiting.length === 0) {
        done.add(node);
        sorted.push(node);
        stack.pop();
      } else stack.push(...waiting.reverse());
    }
  }
  graph.nodes = sorted;
}
