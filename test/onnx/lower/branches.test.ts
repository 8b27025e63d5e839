import assert from 'node:assert/strict';
import type { Node } from '../../../kernel/onnx/index.ts';
import { Builder, Graph, addInput, bind, constantOf } from '../../../kernel/onnx/index.ts';
import { distance, float32, numbers, runGraph } from '../run.ts';

const node = (op: string, inputs: string[], outputs: string[], attributes: Node['attributes'] = {}): Node => ({
  ...{ op, domain: '', name: outputs[0]!, inputs, outputs, attributes },
});

/** A branch: its nodes, and the value that it gives. */
function branch(nodes: Node[], output: string, constants: Record<string, number> = {}): Graph {
  const graph = new Graph();
  for (const [name, value] of Object.entries(constants)) graph.setConstant(name, constantOf('float32', [], [value]));
  graph.nodes = nodes;
  graph.outputs = [output];
  return graph;
}

/**
 * y = If(use_cache) { x } else { t = x·k; If(inner) { t + x } else { t − outer } }, where k is a constant of the branch, t a value of
 * it, and outer a value of the whole graph. Names repeat in both branches.
 */
function merged(): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  addInput(graph, 'x', 'float32', [3]);
  addInput(graph, 'use_cache', 'bool', []);
  addInput(graph, 'inner', 'bool', []);
  const outer = b.op('Exp', ['x'], {}, { as: 'outer' });
  const second = node('If', ['inner'], ['chosen'], {
    then_branch: { kind: 'graph', value: branch([node('Add', ['t', 'x'], ['r'])], 'r') },
    else_branch: { kind: 'graph', value: branch([node('Sub', ['t', outer], ['r'])], 'r') },
  });
  graph.nodes.push(
    node('If', ['use_cache'], ['y'], {
      then_branch: { kind: 'graph', value: branch([node('Identity', ['x'], ['t'])], 't') },
      else_branch: { kind: 'graph', value: branch([node('Mul', ['x', 'k'], ['t']), second], 'chosen', { k: 3 }) },
    }),
  );
  graph.outputs = ['y'];
  return graph;
}

const flag = (value: boolean) => constantOf('bool', [], [value ? 1 : 0]);

describe('branches on a constant condition', () => {
  for (const [cache, inner, expected] of [
    [true, true, (x: number) => x],
    [false, true, (x: number) => 4 * x],
    [false, false, (x: number) => 3 * x - Math.exp(x)],
  ] as const) {
    it(`${String(cache)}, ${String(inner)}: only the chosen one is left, with the values from around it`, async () => {
      const graph = merged();
      bind(graph, { constants: { use_cache: flag(cache), inner: flag(inner) } });
      assert.ok(!graph.nodes.some(({ op }) => op === 'If'));
      const x = [0.5, -1, 2];
      const result = await runGraph(graph, { x: float32([3], x) });
      assert.ok(distance(numbers(result.y), x.map(expected)) < 1e-5);
    });
  }
});
