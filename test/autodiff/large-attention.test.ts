import assert from 'node:assert/strict';
import { differentiate } from '../../kernel/autodiff/index.ts';
import { addInput, Builder, Graph, int, prune } from '../../kernel/onnx/index.ts';
import { Tensor } from 'onnxruntime-node';
import { numbers, runGraph, wave } from '../onnx/run.ts';

/** So many places that an attention matrix in single precision takes 9 MB. */
const PLACES = 1500;
const WIDTH = 8;

/** Σ of what two layers of attention make of x. */
function twoLayers(keptBytes?: number): { graph: Graph; gradient: string } {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  let value = addInput(graph, 'x', 'float64', [1, PLACES, WIDTH]);
  for (const layer of [0, 1]) {
    const weight = (i: number) =>
      b.constant(
        'float64',
        [WIDTH, WIDTH],
        wave(WIDTH * WIDTH).map((w, k) => w + Math.sin(k * (i + 3 * layer + 1))),
        'w',
      );
    const [q, k, v] = [0, 1, 2].map((i) => b.op('MatMul', [value, weight(i)])) as [string, string, string];
    const scores = b.scale(b.op('MatMul', [q, b.transpose(k, [0, 2, 1])]), 0.1);
    value = b.op('MatMul', [b.op('Softmax', [scores], { axis: int(-1) }), v]);
  }
  const total = b.sum(b.mul(value, value), [0, 1, 2]);
  const gradient = differentiate(graph, { of: [{ value: total }], wrt: ['x'], keptBytes }).x!;
  graph.outputs = [total, gradient];
  prune(graph);
  return { graph, gradient };
}

const softmaxes = ({ nodes }: Graph) => nodes.filter(({ op }) => op === 'Softmax').length;

describe('large attention', () => {
  it('is computed again in the backward pass, and its gradient is that of finite differences', async () => {
    const { graph, gradient } = twoLayers(0);
    assert.equal(softmaxes(graph), 4);
    // Σ of a row is taken off by one more column of the factors.
    assert.equal(graph.nodes.filter(({ op }) => op === 'Sub').length, 0);
    const x = wave(PLACES * WIDTH);
    const run = async (values: readonly number[]) => {
      const results = await runGraph(graph, {
        x: new Tensor('float64', Float64Array.from(values), [1, PLACES, WIDTH]),
      });
      return { of: numbers(results[graph.outputs[0]!])[0]!, gradient: numbers(results[gradient]) };
    };
    const found = (await run(x)).gradient;
    const length = Math.sqrt(found.reduce((sum, value) => sum + value * value, 0));
    assert.ok(length > 1e-3, `a gradient of length ${String(length)}`);
    // Along the gradient, and along something that knows nothing of it.
    for (const direction of [found.map((value) => value / length), wave(x.length).toReversed()]) {
      const at = async (step: number) => (await run(x.map((value, i) => value + step * direction[i]!))).of;
      const slope = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5;
      const expected = direction.reduce((sum, value, i) => sum + value * found[i]!, 0);
      assert.ok(Math.abs(slope - expected) <= 1e-5 * Math.max(length, Math.abs(expected)), `${slope}, ${expected}`);
    }
  }).timeout(60_000);

  it('is kept from the last layer on while there is room for it', () => {
    const bytes = PLACES ** 2 * 8;
    assert.equal(softmaxes(twoLayers(bytes).graph), 3);
    assert.equal(softmaxes(twoLayers(2 * bytes).graph), 2);
    assert.equal(softmaxes(twoLayers().graph), 2);
  }).timeout(60_000);
});
