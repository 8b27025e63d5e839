import { inferNode } from './bind.ts';
import type { DType } from './dtype.ts';
import { dtypeId, isDecodable, sizeOf } from './dtype.ts';
import type { Attributes, Constant, Graph, Node } from './graph.ts';
import { constantOf, int, ints, isReference, raiseOpset } from './graph.ts';
import { constantValues } from './read.ts';

/** Constants up to this many elements count as known when shapes are inferred (axes, sizes, pads). */
const KNOWN_LIMIT = 64;

export interface NodeOptions {
  readonly domain?: string;
  /** Number of outputs, 1 by default. */
  readonly outputs?: number;
  /** Name of the first output instead of a fresh one. */
  readonly as?: string;
}

/**
 * Appends nodes to a bound graph and infers the type of each at once. Small constants are shared. Every method returns the
 * name of a value.
 */
export class Builder {
  readonly #shared = new Map<string, string>();
  /** What our Reshapes were made from. */
  readonly #reshaped = new Map<string, string>();
  readonly #transposed = new Map<string, { readonly source: string; readonly perm: readonly number[] }>();
  readonly #scaled = new Map<string, { readonly source: string; readonly factor: number }>();

  constructor(
    readonly graph: Graph,
    /** Starts the names of what is added, so that a reader of the written model can tell who added it. */
    readonly prefix = 'lens',
  ) {}

  /** A node with one output. */
  op(op: string, inputs: readonly string[], attributes: Attributes = {}, options: NodeOptions = {}): string {
    return this.multi(op, inputs, attributes, options)[0]!;
  }

  /** A node with several outputs. */
  multi(op: string, inputs: readonly string[], attributes: Attributes, options: NodeOptions): readonly string[] {
    const { domain = '', outputs = 1, as } = options;
    const names = Array.from({ length: outputs }, (_, i) =>
      i === 0 && as !== undefined ? as : this.graph.fresh(`${this.prefix}/${op}`),
    );
    const node: Node = {
      op,
      domain,
      name: names[0]!,
      inputs: [...inputs],
      outputs: names,
      attributes: { ...attributes },
    };
    if (domain !== '' && !this.graph.opsets.has(domain)) this.graph.opsets.set(domain, 1);
    const types = inferNode(this.graph, node, (name) => this.values(name));
    names.forEach((name, i) => this.graph.types.set(name, types[i]!));
    this.graph.nodes.push(node);
    return names;
  }

  /**
   * A graph run once for each element along the first axis of the inputs; its result, one beneath the other.
   * @param body takes what the inputs have at one place and makes one value
   */
  scan(inputs: readonly string[], body: Graph): string {
    const [made] = body.outputs as [string];
    const { dtype, dims } = body.type(made);
    raiseOpset(this.graph, 11);
    const name = this.graph.fresh(`${this.prefix}/Scan`);
    this.graph.types.set(name, { dtype, dims: [this.dims(inputs[0]!)[0]!, ...dims] });
    const attributes = { body: { kind: 'graph', value: body }, num_scan_inputs: int(inputs.length) } as const;
    this.graph.nodes.push({ op: 'Scan', domain: '', name, inputs: [...inputs], outputs: [name], attributes });
    return name;
  }

  /** Values of a small constant; undefined for anything else. */
  values(name: string): readonly number[] | undefined {
    const constant = this.graph.constants.get(name);
    if (constant === undefined || isReference(constant) || !isDecodable(constant.dtype)) return undefined;
    return sizeOf(constant.dims) > KNOWN_LIMIT ? undefined : Array.from(constantValues(constant));
  }

  constant(dtype: DType, dims: readonly number[], values: ArrayLike<number>, hint = 'constant'): string {
    if (values.length > KNOWN_LIMIT) return this.#register(constantOf(dtype, dims, values), hint);
    const key = `${dtype}[${dims.join()}]${Array.from(values).join()}`;
    let name = this.#shared.get(key);
    if (name === undefined || !this.graph.constants.has(name)) {
      name = this.#register(constantOf(dtype, dims, values), hint);
      this.#shared.set(key, name);
    }
    return name;
  }

  #register(constant: Constant, hint: string): string {
    const name = this.graph.fresh(`${this.prefix}/${hint}`);
    this.graph.setConstant(name, constant);
    return name;
  }

  /** A vector of int64: axes, sizes, shapes. */
  ints(values: readonly number[]): string {
    return this.constant('int64', [values.length], values, 'ints');
  }

  /** A scalar of the element type of `like`. */
  scalar(value: number, like: string): string {
    return this.constant(this.graph.type(like).dtype, [], [value], 'scalar');
  }

  dims(name: string): readonly number[] {
    return this.graph.dims(name);
  }

  add(a: string, b: string): string {
    return this.op('Add', [a, b]);
  }
  sub(a: string, b: string): string {
    return this.op('Sub', [a, b]);
  }
  mul(a: string, b: string): string {
    return (
      this.#scaleLast(a, (x) => this.op('Mul', [x, b])) ??
      this.#scaleLast(b, (x) => this.op('Mul', [a, x])) ??
      this.op('Mul', [a, b])
    );
  }
  div(a: string, b: string): string {
    return this.#scaleLast(a, (x) => this.op('Div', [x, b])) ?? this.op('Div', [a, b]);
  }
  /**
   * Times a number. Numbers are multiplied among themselves, and move past products that do not grow: of several one pass is
   * left, on the smallest tensor.
   */
  scale(x: string, factor: number): string {
    const before = this.#scaled.get(x);
    if (before !== undefined) return this.scale(before.source, before.factor * factor);
    if (factor === 1) return x;
    // Beside the product that made the tensor, the runtime can do both in one.
    const moved = this.#transposed.get(x);
    if (moved !== undefined) return this.transpose(this.scale(moved.source, factor), moved.perm);
    const result = factor === -1 ? this.op('Neg', [x]) : this.op('Mul', [x, this.scalar(factor, x)]);
    this.#scaled.set(result, { source: x, factor });
    return result;
  }
  /** (k·x)∘b as k·(x∘b), where that is no larger; what it replaces is left for `prune`. */
  #scaleLast(x: string, apply: (source: string) => string): string | undefined {
    const scaled = this.#scaled.get(x);
    if (scaled === undefined) return undefined;
    const result = apply(scaled.source);
    return sizeOf(this.dims(result)) <= sizeOf(this.dims(x)) ? this.scale(result, scaled.factor) : undefined;
  }
  sum(x: string, axes: readonly number[], keepdims = true): string {
    const scaled = this.#scaled.get(x);
    if (scaled !== undefined) return this.scale(this.sum(scaled.source, axes, keepdims), scaled.factor);
    return this.op('ReduceSum', [x, this.ints(axes)], { keepdims: int(keepdims ? 1 : 0) });
  }
  mean(x: string, axes: readonly number[]): string {
    const scaled = this.#scaled.get(x);
    if (scaled !== undefined) return this.scale(this.mean(scaled.source, axes), scaled.factor);
    return this.op('ReduceMean', [x, this.ints(axes)], { keepdims: int(1) });
  }
  castLike(x: string, like: string): string {
    const { dtype } = this.graph.type(like);
    return this.graph.type(x).dtype === dtype ? x : this.op('Cast', [x], { to: int(dtypeId(dtype)) });
  }
  /** A tensor of zeros with the element type of `like`, made when the graph runs rather than stored. */
  zeros(dims: readonly number[], like: string): string {
    const { dtype } = this.graph.type(like);
    const value = constantOf(dtype, [1], [0]);
    return this.op('ConstantOfShape', [this.ints(dims)], { value: { kind: 'tensor', value } });
  }
  /** Repeated along axes of size 1 until it has this shape. */
  expand(x: string, dims: readonly number[]): string {
    return this.dims(x).join() === dims.join() ? x : this.op('Expand', [x, this.ints(dims)]);
  }
  /** `count` elements along one axis. */
  slice(x: string, axis: number, start: number, count: number): string {
    return this.op('Slice', [x, this.ints([start]), this.ints([start + count]), this.ints([axis])]);
  }
  /** Zeros before and after; negative numbers cut off. */
  pad(x: string, before: readonly number[], after: readonly number[]): string {
    return [...before, ...after].every((amount) => amount === 0)
      ? x
      : this.op('Pad', [x, this.ints([...before, ...after])]);
  }
  reshape(x: string, dims: readonly number[]): string {
    if (this.dims(x).join() === dims.join()) return x;
    // One after another, only the last one counts.
    const before = this.#reshaped.get(x);
    if (before !== undefined) return this.reshape(before, dims);
    const result = this.op('Reshape', [x, this.ints(dims)], dims.includes(0) ? { allowzero: int(1) } : {});
    this.#reshaped.set(result, x);
    return result;
  }
  /** The last two axes swapped. */
  swap(x: string): string {
    const rank = this.dims(x).length;
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    return this.transpose(x, [...axes.slice(0, -2), rank - 1, rank - 2]);
  }
  transpose(x: string, perm: readonly number[]): string {
    // Two in a row are one.
    const before = this.#transposed.get(x);
    if (before !== undefined) {
      return this.transpose(
        before.source,
        perm.map((axis) => before.perm[axis]!),
      );
    }
    if (perm.every((axis, i) => axis === i)) return x;
    const result = this.op('Transpose', [x], { perm: ints(perm) });
    this.#transposed.set(result, { source: x, perm });
    return result;
  }
}
