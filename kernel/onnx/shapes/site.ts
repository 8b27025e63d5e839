import { nodeError } from '../attributes.ts';
import type { Node, ValueType } from '../graph.ts';

/** One node as a shape rule sees it: its inputs' types, and the values of those that are known before the graph runs. */
export class ShapeSite {
  constructor(
    readonly node: Node,
    readonly inputs: readonly (ValueType | undefined)[],
    /** The values of input `i` where it is a small constant. */
    readonly values: (i: number) => readonly number[] | undefined,
  ) {}

  /** Type of a required input. */
  type(i: number): ValueType {
    const type = this.inputs[i];
    if (type === undefined) throw nodeError(this.node, `input ${String(i)} is missing`);
    return type;
  }

  dims(i: number): readonly number[] {
    return this.type(i).dims;
  }

  /** Values that decide the shape and so must be known before the graph runs. */
  known(i: number): readonly number[] {
    const values = this.values(i);
    if (values === undefined) {
      throw nodeError(
        this.node,
        `input ${String(i)} ("${this.node.inputs[i] ?? ''}") decides a shape but depends on the data`,
        'Give that input as a constant when binding, or export the model with static shapes',
      );
    }
    return values;
  }

  /** Values of an optional input: undefined where it is omitted. */
  optional(i: number): readonly number[] | undefined {
    return this.inputs[i] === undefined ? undefined : this.known(i);
  }
}

/** From a node's input types to its output types; may give more than the node uses. */
export type ShapeRule = (site: ShapeSite) => readonly ValueType[];

/** A negative axis counts from the end. */
export const normalAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** NumPy's broadcasting: aligned at the last axis, 1 stretches. Undefined where two sizes do not fit. */
export function broadcast(...shapes: readonly (readonly number[])[]): readonly number[] | undefined {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (const [i, dim] of shape.entries()) {
      const at = rank - shape.length + i;
      if (dim === 1 || dim === result[at]) continue;
      if (result[at] !== 1) return undefined;
      result[at] = dim;
    }
  }
  return result;
}
