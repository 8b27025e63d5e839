import { LensError } from '../errors.ts';
import { describeNode } from '../onnx/attributes.ts';
import { Builder } from '../onnx/builder.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { consumers, producers } from '../onnx/graph.ts';
import { gather } from './contributions.ts';
import type { DifferentiateOptions } from './path.ts';
import { gradientRule, lowerPath, valuesBetween } from './path.ts';
import { recomputeAttention } from './recompute.ts';
import { checkRounding } from './rounding.ts';
import type { Contribution, Rule, Surroundings } from './site.ts';
import { Site } from './site.ts';
import { spreadAgain } from './spread-again.ts';

/**
 * Appends to a bound graph, in place, the nodes that compute ∂(Σ value·cotangent)/∂x for each x in `wrt` (reverse mode). Only
 * what lies between is walked: no gradient of a weight is computed, and the forward values are used where they are. Fused
 * operators on the way are written out as primitives first. Everything written is plain ONNX.
 *
 * @returns for each name in `wrt` the name of its gradient, of the same shape; make it an output of the graph yourself
 * @throws LensError for an operator without a rule on the path, or where an objective does not depend on a `wrt`
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Readonly<Record<string, string>> {
  const { of, wrt } = options;
  checkRounding(graph, options);
  lowerPath(graph, options);
  const b = new Builder(graph, 'gradient');
  const forward = [...graph.nodes];
  const forwardCount = forward.length;
  const makers = producers(graph);
  const readers = consumers(graph);
  const path = valuesBetween(graph, options);
  const collected = new Map<string, Contribution[]>();
  const add = (value: string, contributions: readonly Contribution[]) => {
    collected.set(value, [...(collected.get(value) ?? []), ...contributions]);
  };
  for (const { value, cotangent } of of) add(value, [cotangent ?? unitCotangent(b, value)]);
  const gradients = new Map<string, string>();
  const gradientOf = (value: string): string | undefined => {
    const known = gradients.get(value);
    if (known !== undefined) return known;
    const contributions = collected.get(value);
    if (contributions === undefined) return undefined;
    const gradient = gather(b, contributions, graph.type(value));
    gradients.set(value, gradient);
    return gradient;
  };
  const around: Surroundings = {
    producer: (value) => makers.get(value),
    consumers: (value) => readers.get(value) ?? [],
    gradient: (value) => (path.has(value) ? gradientOf(value) : undefined),
  };
  for (const node of forward.reverse()) {
    if (!node.outputs.some((output) => path.has(output) && collected.has(output))) continue;
    const rule = ruleOf(node);
    if (rule === 'zero') continue;
    const grads = node.outputs.map((output) => (path.has(output) ? gradientOf(output) : undefined));
    const wanted = (i: number) => path.has(node.inputs[i]!);
    rule(new Site(node, b, grads, wanted, around)).forEach((thunk, i) => {
      if (thunk === undefined || !wanted(i)) return;
      const result = thunk();
      add(node.inputs[i]!, Array.isArray(result) ? (result as readonly Contribution[]) : [result as Contribution]);
    });
  }
  const result = Object.fromEntries(
    wrt.map((name) => {
      const gradient = gradientOf(name);
      if (gradient === undefined) {
        throw new LensError(
          `"${of.map(({ value }) => value).join('", "')}" does not depend on "${name}", so there is no gradient`,
          'Check how the parts of the model were joined',
        );
      }
      return [name, b.expand(gradient, graph.dims(name))];
    }),
  );
  options.also?.(b, result);
  recomputeAttention(graph, forwardCount, options.keptBytes);
  spreadAgain(graph, forwardCount);
  return result;
}

function unitCotangent(b: Builder, value: string): string {
  const { dims } = b.graph.type(value);
  if (dims.some((dim) => dim !== 1)) {
    throw new LensError(
      `the objective "${value}" has shape [${dims.join(', ')}] and no weights`,
      'Name a cotangent of the same shape, or sum it to one number first',
    );
  }
  return b.constant(b.graph.type(value).dtype, dims, [1], 'one');
}

function ruleOf(node: Node): Rule | 'zero' {
  const rule = gradientRule(node);
  if (rule === undefined) {
    throw new LensError(
      `no gradient rule for an operator between the image and the score (${describeNode(node)})`,
      'Add a rule in kernel/autodiff/rules/ (CONTRIBUTING.md tells how), or use an export of the model without this operator',
    );
  }
  return rule;
}
