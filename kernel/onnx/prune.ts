import type { Graph } from './graph.ts';
import { inputsWithCaptures } from './graph.ts';

/** Removes, in place, the nodes and constants that no output needs. Inputs stay: they are the graph's contract. */
export function prune(graph: Graph): void {
  const needed = new Set(graph.outputs);
  graph.nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false;
      for (const input of inputsWithCaptures(node)) needed.add(input);
      return true;
    })
    .reverse();
  for (const name of [...graph.constants.keys()]) if (!needed.has(name)) graph.constants.delete(name);
}
