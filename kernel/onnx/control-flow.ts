import { graphAttr, nodeError } from './attributes.ts';
import { cloneGraph } from './compose.ts';
import type { Graph, Node } from './graph.ts';
import { constantOf, int } from './graph.ts';

/** A Loop with more rounds than this is not written out. */
const MOST_ROUNDS = 512;

const REMEDY = 'Export the model for a fixed size, or without the Loop';

/** Where a Loop stands: how often it has run, and what its next round is given. */
interface Round {
  readonly done: number;
  /** Whether there is another round. */
  readonly condition: string;
  readonly carried: readonly string[];
  /** For each scan output, what the rounds so far gave. */
  readonly scanned: readonly (readonly string[])[];
}

/** Resolves If and Loop while a graph is bound, node by node, in order. */
export class ControlFlow {
  readonly #rounds = new Map<Node, Round>();

  /** @param known the first element of a value, where it is known before the graph runs */
  constructor(
    readonly graph: Graph,
    readonly known: (name: string) => number | undefined,
  ) {}

  /** The nodes that take a node's place; they may hold it again, to be resolved after the others. Undefined where it stays. */
  resolve(node: Node): readonly Node[] | undefined {
    if (node.domain !== '') return undefined;
    if (node.op === 'If') return this.#branch(node);
    return node.op === 'Loop' ? this.#round(node) : undefined;
  }

  /** The nodes of an If's chosen branch. */
  #branch(node: Node): readonly Node[] | undefined {
    const condition = this.known(node.inputs[0]!);
    if (condition === undefined) return undefined;
    const { nodes, outputs } = instance(
      this.graph,
      graphAttr(node, condition === 0 ? 'else_branch' : 'then_branch'),
      [],
    );
    return [...nodes, ...outputs.map((output, i) => identity(node, output, i))];
  }

  /** The next round of a Loop and the Loop again; after the last one, its results. */
  #round(node: Node): readonly Node[] | undefined {
    const [count = '', condition = '', ...initial] = node.inputs;
    const body = graphAttr(node, 'body');
    const scans = body.outputs.length - 1 - initial.length;
    const at = this.#rounds.get(node) ?? {
      ...{ done: 0, condition, carried: initial },
      scanned: Array.from({ length: scans }, () => []),
    };
    const total = count === '' ? Infinity : this.known(count);
    const goesOn = at.condition === '' ? 1 : this.known(at.condition);
    if (total === undefined || goesOn === undefined) {
      if (at.done === 0) return undefined;
      throw nodeError(node, 'how often a Loop runs depends on the data', REMEDY);
    }
    if (at.done >= total || goesOn === 0) return this.#results(node, at);
    if (at.done >= MOST_ROUNDS) throw nodeError(node, `a Loop has more than ${MOST_ROUNDS} rounds`, REMEDY);
    const round = this.graph.fresh(`${node.name}/round`);
    this.graph.setConstant(round, constantOf('int64', [], [at.done]));
    const again = at.condition === '' ? this.graph.fresh(`${node.name}/condition`) : at.condition;
    if (at.condition === '') this.graph.setConstant(again, constantOf('bool', [], [1]));
    const { nodes, outputs } = instance(this.graph, body, [round, again, ...at.carried]);
    const [next, ...results] = outputs as [string, ...string[]];
    this.#rounds.set(node, {
      done: at.done + 1,
      condition: next,
      carried: results.slice(0, initial.length),
      scanned: at.scanned.map((before, i) => [...before, results[initial.length + i]!]),
    });
    return [...nodes, node];
  }

  #results(node: Node, { carried, scanned }: Round): readonly Node[] {
    const first = this.graph.fresh('first-axis');
    this.graph.setConstant(first, constantOf('int64', [1], [0]));
    const stacks = scanned.flatMap((parts, i) => {
      const output = node.outputs[carried.length + i] ?? '';
      if (output === '') return [];
      if (parts.length === 0) {
        throw nodeError(node, 'a Loop has no rounds, so that the shape of what it collects is not known', REMEDY);
      }
      const rows = parts.map((part) => {
        const row = this.graph.fresh(`${output}/row`);
        return { ...identity(node, part, 0), op: 'Unsqueeze', name: row, inputs: [part, first], outputs: [row] };
      });
      const inputs = rows.map((row) => row.outputs[0]!);
      return [
        ...rows,
        { ...identity(node, '', carried.length + i), op: 'Concat', inputs, attributes: { axis: int(0) } },
      ];
    });
    return [
      ...carried.map((value, i) => identity(node, value, i)).filter(({ outputs }) => outputs[0] !== ''),
      ...stacks,
    ];
  }
}

/** Gives a value the name of a node's output `i`. */
function identity(node: Node, value: string, i: number): Node {
  return {
    ...{ op: 'Identity', domain: '', name: `${node.name}/${String(i)}`, attributes: {}, file: node.file },
    inputs: [value],
    outputs: [node.outputs[i] ?? ''],
  };
}

/** A subgraph's nodes under names of their own, on these inputs; the names of its outputs. Its constants go to the graph around it. */
function instance(
  graph: Graph,
  body: Graph,
  inputs: readonly string[],
): { readonly nodes: readonly Node[]; readonly outputs: readonly string[] } {
  const names = new Map<string, string>(body.inputs.map(({ name }, i) => [name, inputs[i]!]));
  const own = (name: string): string => {
    const fresh = graph.fresh(name);
    names.set(name, fresh);
    return fresh;
  };
  for (const [name, constant] of body.constants) graph.setConstant(own(name), constant);
  const nodes = body.nodes.map((inner) => ({
    ...inner,
    attributes: withCaptures(inner, names),
    inputs: inner.inputs.map((name) => names.get(name) ?? name),
    outputs: inner.outputs.map((name) => (name === '' ? '' : own(name))),
    // onnxruntime refuses two nodes of one name.
    name: graph.fresh(inner.name),
  }));
  return { nodes, outputs: body.outputs.map((name) => names.get(name) ?? name) };
}

/** A node's attributes, with the values that its subgraphs take from the branch under their new names. */
function withCaptures(node: Node, names: ReadonlyMap<string, string>): Node['attributes'] {
  return Object.fromEntries(
    Object.entries(node.attributes).map(([key, attribute]) => [
      key,
      attribute.kind === 'graph' ? { kind: 'graph', value: renameCaptures(attribute.value, names) } : attribute,
    ]),
  );
}

/** A copy of a subgraph in which values of the graph around it have other names. */
function renameCaptures(graph: Graph, outer: ReadonlyMap<string, string>): Graph {
  const copy = cloneGraph(graph);
  const own = new Set([...copy.constants.keys(), ...copy.inputs.map((input) => input.name)]);
  const names = (name: string): string => (own.has(name) ? name : (outer.get(name) ?? name));
  for (const node of copy.nodes) {
    node.inputs = node.inputs.map(names);
    node.attributes = withCaptures(node, new Map([...outer].filter(([name]) => !own.has(name))));
    for (const output of node.outputs) own.add(output);
  }
  copy.outputs = copy.outputs.map(names);
  return copy;
}
