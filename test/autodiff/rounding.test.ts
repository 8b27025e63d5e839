import assert from 'node:assert/strict';
import { differentiate } from '../../kernel/autodiff/index.ts';
import { LensError } from '../../kernel/errors.ts';
import { Builder, Graph, addInput, constantOf, int } from '../../kernel/onnx/index.ts';

/** y = x·W as a q8 export computes it; the weights are 8-bit integers too. */
function dynamicProduct(file: string | undefined): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  addInput(graph, 'x', 'float32', [2, 3]);
  graph.setConstant(
    'w',
    constantOf(
      'int8',
      [3, 4],
      [...Array(12).keys()].map((i) => i - 6),
    ),
  );
  const [codes, scale, zero] = b.multi('DynamicQuantizeLinear', ['x'], {}, { outputs: 3 });
  const product = b.op('MatMulInteger', [codes!, 'w', zero!]);
  graph.outputs = [b.op('Mul', [b.op('Cast', [product], { to: int(1) }), scale!])];
  for (const node of graph.nodes) node.file = file;
  return graph;
}

const gradient = (graph: Graph, wrt: string) => () => {
  addInput(graph, 'weights', 'float32', graph.dims(graph.outputs[0]!));
  return differentiate(graph, { of: [{ value: graph.outputs[0]!, cotangent: 'weights' }], wrt: [wrt] });
};

describe('a q8 model', () => {
  it('says why it has no gradient, in which file, and which files to take', () => {
    assert.throws(
      gradient(dynamicProduct('/models/onnx/decoder_model_merged_quantized.onnx'), 'x'),
      (error: unknown) => {
        assert.ok(error instanceof LensError);
        assert.match(error.message, /rounds its activations to 8-bit integers/);
        assert.match(error.message, /operator DynamicQuantizeLinear|operator MatMulInteger/);
        assert.match(
          error.message,
          /decoder_model_merged\.onnx, decoder_model_merged_fp16\.onnx, decoder_model_merged_q4\.onnx/,
        );
        return true;
      },
    );
  });

  it('is no obstacle off the path', () => {
    const graph = dynamicProduct(undefined);
    const b = new Builder(graph);
    addInput(graph, 'z', 'float32', [2, 4]);
    graph.outputs = [b.add(graph.outputs[0]!, b.mul('z', 'z'))];
    const { z } = gradient(graph, 'z')();
    assert.deepEqual(graph.dims(z!), [2, 4]);
  });
});
