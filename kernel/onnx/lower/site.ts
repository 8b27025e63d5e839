import { nodeError } from '../attributes.ts';
import type { Builder } from '../builder.ts';
import type { Node } from '../graph.ts';

/** One fused node as its lowering sees it. Values are names in the graph; the builder writes the nodes that take its place. */
export class FusedSite {
  constructor(
    readonly node: Node,
    readonly b: Builder,
    /** What the lowerings of one graph share: masks and tables that are the same in every layer. */
    readonly shared: Map<string, string>,
  ) {}

  /** A required input. */
  x(i = 0): string {
    const name = this.optional(i);
    if (name === undefined) throw nodeError(this.node, `input ${String(i)} is missing`);
    return name;
  }

  /** An input that may be omitted. */
  optional(i: number): string | undefined {
    const name = this.node.inputs[i];
    return name === undefined || name === '' ? undefined : name;
  }

  /** Whether output `i` has a name, so that somebody may read it. */
  wants(i: number): boolean {
    return (this.node.outputs[i] ?? '') !== '';
  }

  dims(name: string): readonly number[] {
    return this.b.dims(name);
  }

  /** Writes something once for all nodes that ask for the same key. */
  once(key: string, write: () => string): string {
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const value = write();
    this.shared.set(key, value);
    return value;
  }

  /** An error about this node. */
  error(what: string, remedy?: string): Error {
    return nodeError(this.node, what, remedy);
  }
}

/**
 * Writes what a fused node computes with operators that have gradient rules.
 *
 * @returns for each output of the node the value that takes its place, undefined for those that nobody asked for; undefined for
 *   a node that is better left as it is, because its operator has a gradient rule too
 * @throws LensError for a variant that is not supported
 */
export type Lowering = (site: FusedSite) => readonly (string | undefined)[] | undefined;
