import type { Builder } from '../onnx/builder.ts';
import type { Node } from '../onnx/graph.ts';
import { ShapeSite } from '../onnx/shapes/site.ts';
import { sumToShape } from './broadcast.ts';

/** What a rule may ask about the rest of the graph, to find a cheaper form. */
export interface Surroundings {
  /** The forward node that makes a value; undefined for inputs and constants. */
  readonly producer: (value: string) => Node | undefined;
  /** The forward nodes that read a value. */
  readonly consumers: (value: string) => readonly Node[];
  /** The gradient of a value that comes later in the graph, so that it is known by now. */
  readonly gradient: (value: string) => string | undefined;
}

/**
 * One node on the path, as its gradient rule sees it. Values are names in the graph.
 *
 * A gradient may be *thin*: of a shape that broadcasts to its value's, such as the gradient of a sum, which is the same for all
 * terms. Rules that work element by element take it as it is and save a pass over memory; all others take it in full.
 */
export class Site {
  /** The node for the functions that read axes and windows. */
  readonly shape: ShapeSite;

  constructor(
    readonly node: Node,
    readonly b: Builder,
    /** Gradient of each output, possibly thin; undefined where nothing on the path reads that output. */
    readonly grads: readonly (string | undefined)[],
    /** Whether the gradient with respect to input `i` is wanted. */
    readonly wanted: (i: number) => boolean,
    readonly around: Surroundings,
  ) {
    this.shape = new ShapeSite(
      node,
      node.inputs.map((name) => (name === '' ? undefined : b.graph.type(name))),
      (i) => (node.inputs[i] === undefined ? undefined : b.values(node.inputs[i])),
    );
  }

  /** Gradient of the first output, of a shape that broadcasts to the output's. */
  get thinDy(): string {
    return this.grads[0]!;
  }

  /** Gradient of the first output in the output's own shape. */
  get dy(): string {
    return this.b.expand(this.thinDy, this.dims(this.y()));
  }

  x(i = 0): string {
    return this.node.inputs[i]!;
  }

  y(i = 0): string {
    return this.node.outputs[i]!;
  }

  dims(name: string): readonly number[] {
    return this.b.dims(name);
  }

  /** Sums a gradient of the output's shape, possibly thin, to the shape of input `i` that was broadcast to it. */
  unbroadcast(gradient: string, i: number): string {
    return sumToShape(this.b, gradient, this.dims(this.y()), this.dims(this.x(i)));
  }

  /** Sums leading axes until a full gradient has the shape of `target`. */
  sumTo(gradient: string, target: string): string {
    return sumToShape(this.b, gradient, this.dims(gradient), this.dims(target));
  }
}

/** A gradient that is zero outside one range of one axis: what slices and parts contribute. Joined by one Concat where possible. */
export interface Piece {
  /** In full, not thin. */
  readonly value: string;
  readonly axis: number;
  readonly start: number;
}

/** A whole gradient (possibly thin) by name, or a piece of one. */
export type Contribution = string | Piece;

/** Writes the gradient of one input. */
export type Thunk = () => Contribution | readonly Contribution[];

/**
 * A gradient rule: for each input a function that writes its gradient, or undefined for an input that no gradient can reach
 * (indices, shapes). Only the functions of wanted inputs are called.
 */
export type Rule = (site: Site) => readonly (Thunk | undefined)[];
