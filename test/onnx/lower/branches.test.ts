import assert from 'node:assert/strict';
import type { Node } from '../../../kernel/onnx/index.ts';
import { differentiate } from '../../../kernel/autodiff/index.ts';
import { Builder, Graph, addInput, bind, constantOf, int } from '../../../kernel/onnx/index.ts';
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

/**
 * A Loop over a carried value, v ← v·x + round, which collects v − x each time; it goes on while fewer than `rounds` are done.
 * @param stop whether the condition, rather than the count, ends it
 */
function looped(rounds: number, { stop = false, dynamic = false } = {}): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  addInput(graph, 'x', 'float32', [2]);
  addInput(graph, 'limit', 'float32', []);
  const body = new Graph();
  addInput(body, 'round', 'int64', []);
  addInput(body, 'before', 'bool', []);
  addInput(body, 'v', 'float32', [2]);
  body.setConstant('last', constantOf('int64', [], [rounds - 1]));
  body.nodes = [
    node('Mul', ['v', 'x'], ['product']),
    node('Cast', ['round'], ['number'], { to: int(1) }),
    node('Add', ['product', 'number'], ['next']),
    node('Sub', ['next', 'x'], ['seen']),
    dynamic
      ? node('Less', ['number', 'limit'], ['more'])
      : stop
        ? node('Less', ['round', 'last'], ['more'])
        : node('Identity', ['before'], ['more']),
  ];
  body.outputs = ['more', 'next', 'seen'];
  const count = b.constant('int64', [], [stop || dynamic ? 1000 : rounds]);
  const start = b.op('Exp', ['x']);
  graph.nodes.push(
    node('Loop', [count, b.constant('bool', [], [1]), start], ['y', 'all'], { body: { kind: 'graph', value: body } }),
  );
  graph.outputs = ['y', 'all'];
  return graph;
}

/** What `looped` computes. */
function expectedOfLoop(x: readonly number[], rounds: number): { y: number[]; all: number[] } {
  let v = x.map(Math.exp);
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) {
    v = v.map((value, i) => value * x[i]! + round);
    all.push(...v.map((value, i) => value - x[i]!));
  }
  return { y: v, all };
}

describe('loops', () => {
  const x = [0.5, -1.25];

  for (const stop of [false, true]) {
    it(`whose ${stop ? 'condition is' : 'number of rounds is'} known are written out, and a gradient passes`, async () => {
      const graph = looped(3, { stop });
      bind(graph, {});
      assert.ok(!graph.nodes.some(({ op }) => op === 'Loop'));
      assert.deepEqual(graph.dims('all'), [3, 2]);
      const { y, all } = expectedOfLoop(x, 3);
      const b = new Builder(graph);
      const ones = b.constant('float32', [2], [1, 1]);
      const gradients = differentiate(graph, { of: [{ value: 'y', cotangent: ones }], wrt: ['x'] });
      graph.outputs.push(gradients.x!);
      const result = await runGraph(graph, { x: float32([2], x), limit: float32([], [0]) });
      assert.ok(distance(numbers(result.y), y) < 1e-5);
      assert.ok(distance(numbers(result.all), all) < 1e-5);
      const slopes = x.map((_, i) => {
        const at = (step: number) => expectedOfLoop(x.with(i, x[i]! + step), 3).y[i]!;
        return (at(1e-5) - at(-1e-5)) / 2e-5;
      });
      assert.ok(distance(numbers(result[gradients.x!]), slopes) < 1e-4);
    });
  }

  it('that run as often as their data say are refused by name', () => {
    assert.throws(
      () => bind(looped(3, { dynamic: true }), {}),
      /how often a Loop runs depends on the data \(operator Loop/,
    );
  });
});
