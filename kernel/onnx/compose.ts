import { LensError } from '../errors.ts';
import type { Attribute, Node } from './graph.ts';
import { Graph } from './graph.ts';

/** A copy whose rewriting leaves the original as it is. Bytes are shared. */
export function cloneGraph(graph: Graph): Graph {
  return prefixed(graph, '');
}

/**
 * A copy of a graph with every value and node renamed to `prefix` + name, so that several can be joined. References to weights
 * in files stay as they are.
 */
export function prefixed(graph: Graph, prefix: string): Graph {
  const rename = (name: string): string => (name === '' ? '' : prefix + name);
  const copyAttribute = (attribute: Attribute): Attribute =>
    attribute.kind === 'graph' ? { kind: 'graph', value: prefixed(attribute.value, prefix) } : attribute;
  const copyNode = (node: Node): Node => ({
    ...node,
    name: rename(node.name),
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(Object.entries(node.attributes).map(([key, value]) => [key, copyAttribute(value)])),
  });
  const copy = new Graph();
  copy.file = graph.file;
  copy.nodes = graph.nodes.map(copyNode);
  copy.inputs = graph.inputs.map((input) => ({ ...input, name: rename(input.name) }));
  copy.outputs = graph.outputs.map(rename);
  for (const [name, constant] of graph.constants) copy.setConstant(rename(name), constant);
  for (const [name, type] of graph.types) copy.types.set(rename(name), type);
  for (const [domain, version] of graph.opsets) copy.opsets.set(domain, version);
  return copy;
}

/** One part of a joined graph. */
export interface Part {
  readonly graph: Graph;
  /** Starts the names of this part's values in the joined graph. */
  readonly prefix: string;
  /** For inputs of this part: the value of the joined graph that feeds it, such as 'vision/image_features'. */
  readonly feeds?: Readonly<Record<string, string>>;
}

/**
 * Appends a part to a graph, in place. Inputs named in `feeds` are connected to existing values; all others become inputs of
 * the joined graph under their prefixed names. Its outputs are not made outputs of the joined graph: choose those yourself.
 * The newest operator set of all parts holds for the whole.
 *
 * @returns the part's outputs by their names in the part
 * @throws LensError where a feed names no input, or types do not match
 */
export function append(target: Graph, { graph, prefix, feeds = {} }: Part): Readonly<Record<string, string>> {
  const part = prefixed(graph, prefix);
  for (const name of part.types.keys()) {
    if (target.types.has(name)) {
      throw new LensError(`value "${name}" exists twice in the joined graph`, 'Give each part its own prefix');
    }
  }
  for (const input of Object.keys(feeds)) {
    if (!graph.inputs.some(({ name }) => name === input)) {
      const names = graph.inputs.map(({ name }) => name).join(', ');
      throw new LensError(`"${graph.file ?? prefix}" has no input "${input}"`, `Its inputs are: ${names}`);
    }
  }
  const source = new Map(Object.entries(feeds).map(([input, value]) => [prefix + input, value]));
  for (const input of part.inputs) {
    const value = source.get(input.name);
    if (value === undefined) {
      target.inputs.push(input);
      continue;
    }
    const [given, wanted] = [target.types.get(value), part.types.get(input.name)];
    if (
      given !== undefined &&
      wanted !== undefined &&
      `${given.dtype}${given.dims.join()}` !== `${wanted.dtype}${wanted.dims.join()}`
    ) {
      throw new LensError(
        `value "${value}" of type ${given.dtype}[${given.dims.join(', ')}] cannot feed "${input.name}" of type ${wanted.dtype}[${wanted.dims.join(', ')}]`,
        'Bind both parts with matching dimensions',
      );
    }
    part.types.delete(input.name);
  }
  const connect = (name: string): string => source.get(name) ?? name;
  target.nodes.push(...part.nodes.map((node) => ({ ...node, inputs: node.inputs.map(connect) })));
  for (const [name, type] of part.types) target.types.set(name, type);
  for (const [name, constant] of part.constants) target.constants.set(name, constant);
  for (const [domain, version] of part.opsets) {
    target.opsets.set(domain, Math.max(version, target.opsets.get(domain) ?? 0));
  }
  return Object.fromEntries(graph.outputs.map((name) => [name, connect(prefix + name)]));
}

/** Declares an input of a graph under construction. */
export function addInput(
  graph: Graph,
  name: string,
  dtype: Graph['inputs'][number]['dtype'],
  dims: readonly number[],
): string {
  if (graph.types.has(name)) throw new LensError(`value "${name}" exists already`, 'Choose another name for the input');
  graph.inputs.push({ name, dtype, dims });
  graph.types.set(name, { dtype, dims });
  return name;
}
