import assert from 'node:assert/strict';
import { Builder, Graph, addInput, cloneGraph, constantOf, gatherLate, int } from '../../kernel/onnx/index.ts';
import { distance, float32, numbers, runGraph, wave } from './run.ts';

/** Two heads of attention over 6 positions, then an RMS norm, a linear layer with bias, and an activation. */
function decoder(): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  addInput(graph, 'x', 'float32', [2, 6, 4]);
  const b = new Builder(graph);
  const heads = (scale: number) => b.transpose(b.reshape(b.scale('x', scale), [2, 6, 2, 2]), [0, 2, 1, 3]);
  const queries = b.reshape(b.transpose(b.op('Sin', ['x'], {}, { as: 'queries' }), [0, 1, 2]), [2, 6, 2, 2]);
  const scores = b.op('MatMul', [b.transpose(queries, [0, 2, 1, 3]), b.transpose(heads(2), [0, 1, 3, 2])]);
  const attention = b.op('MatMul', [b.op('Softmax', [scores], { axis: int(-1) }), heads(3)]);
  const mixed = b.reshape(b.transpose(attention, [0, 2, 1, 3]), [2, 6, 4]);
  const mean = b.mean(b.mul(mixed, mixed), [-1]);
  const norm = b.div(mixed, b.op('Sqrt', [b.add(mean, b.scalar(1e-6, mean))]));
  graph.setConstant('head', constantOf('float32', [4, 7], wave(28)));
  graph.setConstant('bias', constantOf('float32', [7], wave(7)));
  graph.outputs = [b.op('Tanh', [b.add(b.op('MatMul', [norm, 'head']), 'bias')], {}, { as: 'logits' })];
  return graph;
}

describe('gathering positions late', () => {
  it('gives the chosen rows and computes the head only there', async () => {
    const graph = decoder();
    const late = cloneGraph(graph);
    addInput(late, 'positions', 'int64', [2]);
    const name = gatherLate(late, 'logits', 'positions');
    assert.deepEqual(late.outputs, [name]);
    assert.deepEqual(late.dims(name), [2, 2, 7]);
    const heads = late.nodes.filter(({ inputs }) => inputs.includes('head'));
    assert.equal(heads.length, 1);
    assert.deepEqual(late.dims(heads[0]!.outputs[0]!), [2, 2, 7]);
    const gathers = late.nodes.filter(({ op }) => op === 'Gather');
    assert.deepEqual(
      gathers.map(({ inputs }) => inputs[0]),
      ['queries'],
    );
    const { Tensor } = await import('onnxruntime-node');
    const x = float32([2, 6, 4], wave(48));
    const all = numbers((await runGraph(graph, { x }))['logits']);
    const some = numbers((await runGraph(late, { x, positions: new Tensor('int64', [4n, 1n], [2]) }))[name]);
    const row = (batch: number, position: number) =>
      all.slice((batch * 6 + position) * 7, (batch * 6 + position + 1) * 7);
    assert.ok(distance(some, [...row(0, 4), ...row(0, 1), ...row(1, 4), ...row(1, 1)]) < 1e-6);
  });

  it('gives the chosen columns of the head and computes no others', async () => {
    const graph = decoder();
    const late = cloneGraph(graph);
    addInput(late, 'words', 'int64', [3]);
    const name = gatherLate(late, 'logits', 'words', 2);
    assert.deepEqual(late.dims(name), [2, 6, 3]);
    const gathers = late.nodes.filter(({ op }) => op === 'Gather');
    assert.deepEqual(gathers.map(({ inputs }) => inputs[0]).sort(), ['bias', 'head']);
    const { Tensor } = await import('onnxruntime-node');
    const x = float32([2, 6, 4], wave(48));
    const all = numbers((await runGraph(graph, { x }))['logits']);
    const some = numbers((await runGraph(late, { x, words: new Tensor('int64', [5n, 0n, 5n], [3]) }))[name]);
    const expected = Array.from({ length: 12 }, (_, row) => [5, 0, 5].map((word) => all[row * 7 + word]!)).flat();
    assert.ok(distance(some, expected) < 1e-6);
  });

  it('does not repeat what is needed at all positions anyway', () => {
    const graph = new Graph();
    graph.opsets.set('', 18);
    addInput(graph, 'x', 'float32', [2, 6, 4]);
    addInput(graph, 'positions', 'int64', [2]);
    const b = new Builder(graph);
    const stream = b.op('Tanh', ['x']);
    const sums = b.op('CumSum', [stream, b.ints([1])]);
    graph.outputs = [b.op('Add', [stream, b.op('Exp', [sums])], {}, { as: 'y' })];
    gatherLate(graph, 'y', 'positions');
    const ops = graph.nodes.map(({ op }) => op).sort();
    assert.deepEqual(ops, ['Add', 'CumSum', 'Exp', 'Gather', 'Gather', 'Tanh']);
  });

  it('stops where positions mix', () => {
    for (const [op, expected] of [
      ['CumSum', ['CumSum', 'Gather']],
      ['Tanh', ['Gather', 'Tanh']],
    ] as const) {
      const graph = new Graph();
      graph.opsets.set('', 18);
      addInput(graph, 'x', 'float32', [2, 6, 4]);
      addInput(graph, 'positions', 'int64', [2]);
      const b = new Builder(graph);
      graph.outputs = [b.op(op, op === 'CumSum' ? ['x', b.ints([1])] : ['x'], {}, { as: 'y' })];
      gatherLate(graph, 'y', 'positions');
      assert.deepEqual(
        graph.nodes.map((node) => node.op),
        expected,
      );
    }
  });
});
