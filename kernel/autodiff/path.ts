import type { Builder } from '../onnx/builder.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { lower, loweringOf } from '../onnx/lower/index.ts';
import { MICROSOFT_RULES, RULES } from './rules/index.ts';
import type { Rule } from './site.ts';

/** One term of the objective Σ value · cotangent. */
export interface Objective {
  /** A value of the graph. */
  readonly value: string;
  /** A value of the same shape that weighs its elements, often an input; a scalar `value` may go without (weight 1). */
  readonly cotangent?: string;
}

export interface DifferentiateOptions {
  /** The scalar to differentiate: the sum of these terms. */
  readonly of: readonly Objective[];
  /** Values (usually inputs) to differentiate with respect to. */
  readonly wrt: readonly string[];
  /** Writes what is made of the gradients of values inside the graph: such values may be computed again rather than kept for it. */
  readonly also?: (b: Builder, gradients: Readonly<Record<string, string>>) => void;
  /**
   * So many bytes of large attention matrices are kept from the forward pass; the others are computed again. Default: 256 MB, or a fifth of
   * what the weights take where that is more.
   */
  readonly keptBytes?: number | undefined;
}

const DOMAINS: Readonly<Record<string, Readonly<Record<string, Rule | 'zero'>>>> = {
  '': RULES,
  'com.microsoft': MICROSOFT_RULES,
};

/** The rule of a node's operator, 'zero' where nothing flows through it, undefined where there is none. */
export const gradientRule = (node: Node): Rule | 'zero' | undefined => DOMAINS[node.domain]?.[node.op];

const isZero = (node: Node): boolean => gradientRule(node) === 'zero';

/** Values that depend on a `wrt` and that an objective depends on, through real numbers all the way. */
export function valuesBetween(graph: Graph, { of, wrt }: DifferentiateOptions): ReadonlySet<string> {
  const carries = (name: string) => name !== '' && isFloat(graph.type(name).dtype);
  const below = new Set(wrt);
  for (const node of graph.nodes) {
    if (isZero(node) || !node.inputs.some((input) => below.has(input))) continue;
    for (const output of node.outputs) if (carries(output)) below.add(output);
  }
  const between = new Set<string>();
  for (const { value } of of) if (below.has(value)) between.add(value);
  for (const node of graph.nodes.toReversed()) {
    if (isZero(node) || !node.outputs.some((output) => between.has(output))) continue;
    for (const input of node.inputs) if (below.has(input)) between.add(input);
  }
  return between;
}

/**
 * Writes out, in place, the fused operators that a gradient has to pass; all others stay fused. `differentiate` does it too: call
 * it before where other rewriting profits from primitives. The graph must be bound.
 */
export function lowerPath(graph: Graph, options: DifferentiateOptions): void {
  const path = valuesBetween(graph, options);
  const passed = (node: Node): boolean =>
    node.inputs.some((input) => path.has(input)) && node.outputs.some((output) => path.has(output));
  if (!graph.nodes.some((node) => loweringOf(node) !== undefined && passed(node))) return;
  lower(graph, passed, [...options.wrt, ...options.of.map(({ value }) => value)]);
}
