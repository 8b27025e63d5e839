import { isDecodable, sizeOf } from '../dtype.ts';
import type { Graph, Node } from '../graph.ts';
import { consumers, isReference, producers } from '../graph.ts';
import { constantValues } from '../read.ts';

/** What patterns ask about a graph, as it was when the search began. */
export class Pattern {
  readonly #makers: ReadonlyMap<string, Node>;
  readonly #readers: ReadonlyMap<string, readonly Node[]>;

  constructor(readonly graph: Graph) {
    this.#makers = producers(graph);
    this.#readers = consumers(graph);
  }

  /** The node that makes a value, if it is of this operator. */
  made(value: string | undefined, op: string): Node | undefined {
    const node = value === undefined ? undefined : this.#makers.get(value);
    return node?.op === op && node.domain === '' ? node : undefined;
  }

  /** The only reader of a value that is no output. */
  reader(value: string): Node | undefined {
    const list = this.#readers.get(value) ?? [];
    return list.length === 1 && !this.graph.outputs.includes(value) ? list[0] : undefined;
  }

  /** The other input of a product (or of any operator with two inputs in either order). */
  other(node: Node | undefined, op: string, input: string): string | undefined {
    if (node?.op !== op || node.domain !== '' || node.inputs.length !== 2) return undefined;
    if (node.inputs[0] === input) return node.inputs[1];
    return node.inputs[1] === input ? node.inputs[0] : undefined;
  }

  /** The other input of a two-input node whose one input is (within 10⁻⁴) the number `wanted`; of Div and Pow the second one. */
  beside(node: Node | undefined, op: string, wanted: number): string | undefined {
    if (node?.op !== op || node.domain !== '' || node.inputs.length !== 2) return undefined;
    const at = op === 'Div' || op === 'Pow' ? [1] : [0, 1];
    const number = at.find((i) => Math.abs((this.number(node.inputs[i]!) ?? NaN) - wanted) < 1e-4);
    return number === undefined ? undefined : node.inputs[1 - number];
  }

  /** The value of a constant of one element. */
  number(name: string): number | undefined {
    const constant = this.graph.constants.get(name);
    if (
      constant === undefined ||
      isReference(constant) ||
      sizeOf(constant.dims) !== 1 ||
      !isDecodable(constant.dtype)
    ) {
      return undefined;
    }
    return constantValues(constant)[0];
  }

  /** The values of a small constant. */
  numbers(name: string | undefined): readonly number[] | undefined {
    const constant = name === undefined ? undefined : this.graph.constants.get(name);
    if (constant === undefined || isReference(constant) || !isDecodable(constant.dtype)) return undefined;
    return Array.from(constantValues(constant));
  }
}
