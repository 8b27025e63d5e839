import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { LensError } from '../../kernel/errors.ts';
import {
  Builder,
  Graph,
  append,
  bind,
  int,
  isReference,
  readGraph,
  serialise,
  weightsFolder,
} from '../../kernel/onnx/index.ts';
import { POCKET, distance, float32, numbers, runGraph, runModel, wave } from './run.ts';

describe('derived models', () => {
  const path = join(POCKET, 'vision_encoder.onnx');

  it('run with weights that stay in the .onnx file they came from', async () => {
    const graph = readGraph(path);
    const bytes = serialise(graph);
    assert.equal(weightsFolder(graph), POCKET);
    assert.ok(bytes.length < 200_000, `the derived model has ${String(bytes.length)} bytes`);
    const feeds = { pixel_values: float32([2, 3, 96, 96], wave(2 * 3 * 96 * 96)) };
    const expected = await runModel(path, feeds);
    const actual = await runModel(bytes, feeds, POCKET);
    assert.ok(distance(numbers(actual['image_features']), numbers(expected['image_features'])) < 1e-5);
  });

  it('give the same with all dimensions bound, and no arithmetic on shapes is left', async () => {
    const graph = readGraph(path);
    const before = graph.nodes.length;
    bind(graph, { dims: { batch_size: 2 } });
    assert.ok(graph.nodes.length < before);
    const left = graph.nodes.filter(({ op }) => ['Shape', 'ConstantOfShape', 'Identity', 'Range'].includes(op));
    assert.deepEqual(left, []);
    for (const node of graph.nodes) for (const output of node.outputs) assert.ok(graph.types.has(output));
    const feeds = { pixel_values: float32([2, 3, 96, 96], wave(2 * 3 * 96 * 96)) };
    const expected = await runModel(path, feeds);
    const actual = await runGraph(graph, feeds);
    assert.ok(distance(numbers(actual['image_features']), numbers(expected['image_features'])) < 1e-5);
  });

  it('join several files, whose weights stay in each', async () => {
    const vision = readGraph(path);
    bind(vision, { dims: { batch_size: 1 } });
    const embed = readGraph(join(POCKET, 'embed_tokens.onnx'));
    bind(embed, { dims: { batch_size: 1, sequence_length: 3 } });
    const graph = new Graph();
    const { image_features: image } = append(graph, { graph: vision, prefix: 'vision/' });
    const { inputs_embeds: words } = append(graph, { graph: embed, prefix: 'embed/' });
    graph.outputs = [new Builder(graph).op('Concat', [words!, image!], { axis: int(1) })];
    const files = new Set([...graph.constants.values()].flatMap((c) => (isReference(c) ? [c.data.file] : [])));
    assert.equal(files.size, 2);
    const pixels = float32([1, 3, 96, 96], wave(3 * 96 * 96));
    const { Tensor } = await import('onnxruntime-node');
    const ids = new Tensor('int64', [5n, 6n, 7n], [1, 3]);
    const joined = await runGraph(graph, { 'vision/pixel_values': pixels, 'embed/input_ids': ids });
    const image2 = await runModel(path, { pixel_values: pixels });
    const words2 = await runModel(join(POCKET, 'embed_tokens.onnx'), { input_ids: ids });
    const expected = [...numbers(words2['inputs_embeds']), ...numbers(image2['image_features'])];
    assert.ok(distance(numbers(joined[graph.outputs[0]!]), expected) < 1e-5);
  });

  it('feed the output of one part to the input of another', async () => {
    const part = (op: string) => {
      const graph = new Graph();
      graph.opsets.set('', 18);
      graph.inputs.push({ name: 'x', dtype: 'float32', dims: [3] });
      bind(graph, {});
      graph.outputs = [new Builder(graph).op(op, ['x'], {}, { as: 'y' })];
      return graph;
    };
    const graph = new Graph();
    const { y: first } = append(graph, { graph: part('Exp'), prefix: 'a/' });
    const { y: second } = append(graph, { graph: part('Neg'), prefix: 'b/', feeds: { x: first! } });
    graph.outputs = [second!];
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ['a/x'],
    );
    const result = await runGraph(graph, { 'a/x': float32([3], [0, 1, 2]) });
    assert.ok(distance(numbers(result['b/y']), [-1, -Math.E, -(Math.E ** 2)]) < 1e-5);
    assert.throws(() => append(graph, { graph: part('Abs'), prefix: 'b/' }), /exists twice.*own prefix/);
    assert.throws(
      () => append(graph, { graph: part('Abs'), prefix: 'c/', feeds: { z: second! } }),
      /no input "z"\. Its inputs are: x/,
    );
  });

  it('refuse weights outside the folder that onnxruntime may read', () => {
    const graph = readGraph(path);
    assert.throws(
      () => serialise(graph, join(dirname(POCKET), 'elsewhere')),
      (error) => error instanceof LensError && /lies outside the folder/.test(error.message),
    );
  });
});
