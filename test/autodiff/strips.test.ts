import assert from 'node:assert/strict';
import { Tensor } from 'onnxruntime-node';
import { differentiate } from '../../kernel/autodiff/index.ts';
import { addInput, Builder, Graph, prune, text } from '../../kernel/onnx/index.ts';
import { numbers, runGraph } from '../onnx/run.ts';
import { random } from './check.ts';

/** The gradient of Σ w·gelu(x) with respect to x. */
function gradientGraph(dims: readonly number[], approximate: string): Graph {
  const graph = new Graph();
  graph.opsets.set('', 20);
  const b = new Builder(graph);
  const x = addInput(graph, 'x', 'float32', dims);
  const w = addInput(graph, 'w', 'float32', dims);
  const total = b.sum(
    b.mul(b.op('Gelu', [x], { approximate: text(approximate) }), w),
    dims.map((_, axis) => axis),
  );
  graph.outputs = [differentiate(graph, { of: [{ value: total }], wrt: ['x'] }).x!];
  prune(graph);
  return graph;
}

async function gradient(graph: Graph, x: Float32Array, w: Float32Array): Promise<readonly number[]> {
  const { dims } = graph.type('x');
  const results = await runGraph(graph, {
    x: new Tensor('float32', x, [...dims]),
    w: new Tensor('float32', w, [...dims]),
  });
  return numbers(results[graph.outputs[0]!]);
}

const scans = ({ nodes }: Graph) => nodes.filter(({ op }) => op === 'Scan');

describe('strips', () => {
  for (const approximate of ['tanh', 'none']) {
    it(`give the same gradient of a large Gelu (${approximate}) as a small one has`, async () => {
      const next = random(7);
      const few = Float32Array.from({ length: 1000 }, () => 12 * next() - 6);
      const slopes = await gradient(
        gradientGraph([few.length], approximate),
        few,
        new Float32Array(few.length).fill(1),
      );
      const large = gradientGraph([2, 1000, 1000], approximate);
      assert.equal(scans(large).length, 1);
      const x = Float32Array.from({ length: 2e6 }, (_, i) => few[i % few.length]!);
      // Other weights in every row, so that rows cannot change places.
      const w = Float32Array.from(x, (_, i) => Math.sin(i / 1000));
      const found = await gradient(large, x, w);
      assert.equal(found.length, x.length);
      const worst = found.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - w[i]! * slopes[i % few.length]!)),
        0,
      );
      assert.ok(worst < 1e-6, `off by ${worst}`);
    }).timeout(60_000);
  }

  it('are not cut where a value is small or has no divisor of that size', () => {
    for (const dims of [[1000, 1000], [1_299_709]])
      assert.equal(scans(gradientGraph(dims, 'tanh')).length, 0, dims.join());
  });
});
