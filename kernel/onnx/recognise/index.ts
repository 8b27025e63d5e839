import type { Attribute, Graph, Node } from '../graph.ts';
import { sortNodes } from '../graph.ts';
import { prune } from '../prune.ts';
import { gelu } from './gelu.ts';
import { layerNormalisation } from './layer-normalisation.ts';
import { Pattern } from './pattern.ts';

/** One operator that does what several nodes do; it takes the place of the last of them. */
export interface Recognised {
  readonly last: Node;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** The first operator set that has it. */
  readonly opset: number;
}

const PATTERNS: readonly ((pattern: Pattern, node: Node) => Recognised | undefined)[] = [gelu, layerNormalisation];

/**
 * Replaces, in place, what exporters write out by the one operator that means it. The runtime then computes it in one pass even where a
 * gradient reads its input, its gradient has a shorter form, and nothing between has to be kept for it. The graph must be bound.
 */
export function recognise(graph: Graph): void {
  const pattern = new Pattern(graph);
  for (const node of graph.nodes) {
    for (const match of PATTERNS) {
      const found = match(pattern, node);
      if (found === undefined) continue;
      const { last, op, inputs, attributes, opset } = found;
      Object.assign(last, { op, inputs: [...inputs], attributes: { ...attributes } });
      graph.opsets.set('', Math.max(opset, graph.opsets.get('') ?? opset));
    }
  }
  sortNodes(graph);
  prune(graph);
}
