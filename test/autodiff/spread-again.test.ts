import assert from 'node:assert/strict';
import { differentiate } from '../../kernel/autodiff/index.ts';
import type { Graph } from '../../kernel/onnx/index.ts';
import {
  Builder,
  Graph as OnnxGraph,
  addInput,
  bind,
  computeInFloat32,
  constantOf,
  int,
  prune,
  readGraph,
} from '../../kernel/onnx/index.ts';
import { distance, float32, inFolder, numbers, runGraph, wave, writeModel } from '../onnx/run.ts';

const [rows, width] = [3, 200];

/** tanh(x·A)·Bᵀ with weights in half precision that are large enough to matter, and inputs and outputs of `io`. */
function halfModel(io: 'float16' | 'float32'): Graph {
  const graph = new OnnxGraph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  const weight = (name: string) => {
    graph.setConstant(
      name,
      constantOf(
        'float16',
        [width, width],
        wave(width * width).map((x) => x / 8),
      ),
    );
    return name;
  };
  addInput(graph, 'x', io, [rows, width]);
  const half = io === 'float16' ? 'x' : b.op('Cast', ['x'], { to: int(10) });
  const hidden = b.op('Tanh', [b.op('MatMul', [half, weight('A')])]);
  const y = b.op('Gemm', [hidden, weight('B')], { transB: int(1) });
  graph.outputs = [
    io === 'float16' ? b.op('Identity', [y], {}, { as: 'y' }) : b.op('Cast', [y], { to: int(1) }, { as: 'y' }),
  ];
  return graph;
}

function gradientOf(file: string): Graph {
  const graph = readGraph(file);
  computeInFloat32(graph);
  bind(graph, {});
  addInput(graph, 'v', 'float32', graph.dims('y'));
  const { x } = differentiate(graph, { of: [{ value: 'y', cotangent: 'v' }], wrt: ['x'] });
  graph.outputs = ['y', x!];
  prune(graph);
  return graph;
}

describe('a model of half precision', () => {
  for (const io of ['float16', 'float32'] as const) {
    it(`with inputs and outputs in ${io}: gradient in float32, weights referred to and cast once for each direction`, () =>
      inFolder(async (folder) => {
        const graph = gradientOf(writeModel(folder, 'half.onnx', halfModel(io)));
        assert.ok(
          [...graph.inputs.map(({ dtype }) => dtype), ...graph.outputs.map((name) => graph.type(name).dtype)].every(
            (dtype) => dtype === 'float32',
          ),
        );
        const weights = [...graph.constants.values()].filter(({ dtype }) => dtype === 'float16');
        assert.ok(weights.length === 2 && weights.every(({ data }) => !(data instanceof Uint8Array)));
        const casts = graph.nodes.filter(
          (node) =>
            node.op === 'Cast' && graph.type(node.outputs[0]!).dims.join() === `${String(width)},${String(width)}`,
        );
        assert.equal(casts.length, 4);

        const x = wave(rows * width);
        const v = wave(rows * width).reverse();
        const feeds = (at: readonly number[]) => ({ x: float32([rows, width], at), v: float32([rows, width], v) });
        const result = await runGraph(graph, feeds(x));
        const gradient = numbers(result[graph.outputs[1]!]);
        const direction = wave(rows * width).map((value, i) => value * (i % 3));
        const value = async (step: number) => {
          const y = numbers((await runGraph(graph, feeds(x.map((one, i) => one + step * direction[i]!)))).y);
          return y.reduce((sum, one, i) => sum + one * v[i]!, 0);
        };
        const slope = ((await value(1e-2)) - (await value(-1e-2))) / 2e-2;
        const found = gradient.reduce((sum, one, i) => sum + one * direction[i]!, 0);
        assert.ok(
          Math.abs(found - slope) < 2e-3 * Math.max(1, Math.abs(slope)),
          `${String(found)} instead of ${String(slope)}`,
        );
        assert.ok(
          distance(
            gradient,
            gradient.map(() => 0),
          ) > 0.01,
        );
      }));
  }

  it('a weight behind DequantizeLinear is spread once for each direction too', () => {
    const graph = new OnnxGraph();
    graph.opsets.set('', 21);
    const b = new Builder(graph);
    addInput(graph, 'x', 'float32', [rows, width]);
    graph.setConstant(
      'codes',
      constantOf(
        'int8',
        [width, width],
        wave(width * width).map((x) => Math.round(100 * x)),
      ),
    );
    const weight = b.op('DequantizeLinear', ['codes', b.constant('float32', [], [0.01])]);
    const y = b.op('MatMul', [b.op('Tanh', [b.op('MatMul', ['x', weight])]), weight]);
    addInput(graph, 'v', 'float32', [rows, width]);
    const { x } = differentiate(graph, { of: [{ value: y, cotangent: 'v' }], wrt: ['x'] });
    graph.outputs = [y, x!];
    prune(graph);
    const spread = graph.nodes.filter(({ op }) => op === 'DequantizeLinear');
    // Two backward products, of one weight that the forward ones share.
    assert.equal(spread.length, 3);
    assert.equal(new Set(spread.map(({ inputs }) => inputs[1])).size, 3, 'equal nodes would be joined into one');
  });
});
