import assert from 'node:assert/strict';
import { LensError } from '../../kernel/errors.ts';
import { differentiate } from '../../kernel/autodiff/index.ts';
import type { DType } from '../../kernel/onnx/index.ts';
import {
  Builder,
  Graph,
  addInput,
  bind,
  cloneGraph,
  int,
  ints,
  prune,
  readGraph,
  sizeOf,
} from '../../kernel/onnx/index.ts';
import { inFolder, writeModel } from '../onnx/run.ts';
import { checkGraph, random } from './check.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;

/** A graph with inputs of these shapes; `build` returns its outputs. */
function graphOf(inputs: Shapes, build: (b: Builder) => readonly string[], dtype: DType = 'float64'): Graph {
  const graph = new Graph();
  graph.opsets.set('', 20);
  for (const [name, dims] of Object.entries(inputs)) addInput(graph, name, dtype, dims);
  graph.outputs = [...build(new Builder(graph))];
  return graph;
}

const weight = (b: Builder, dims: readonly number[], seed: number): string => {
  const next = random(seed);
  return b.constant(
    'float64',
    dims,
    Array.from({ length: sizeOf(dims) }, () => next() - 0.5),
    'weight',
  );
};

const counts = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length;

/** The gradient graph, pruned. */
function gradientOf(graph: Graph, of: string, wrt: readonly string[]): Graph {
  const copy = cloneGraph(graph);
  addInput(copy, 'cotangent', copy.type(of).dtype, copy.dims(of));
  copy.outputs = Object.values(differentiate(copy, { of: [{ value: of, cotangent: 'cotangent' }], wrt }));
  prune(copy);
  return copy;
}

/** Multi-head attention with one joint projection, as exporters write it; `scaleKeys` scales the transposed keys too. */
const attention = (scaleKeys: boolean) =>
  graphOf({ x: [2, 5, 6] }, (b) => {
    const qkv = b.op('MatMul', ['x', weight(b, [6, 18], 1)]);
    const parts = b.multi('Split', [qkv, b.ints([6, 6, 6])], { axis: int(2) }, { outputs: 3 });
    const [q, k, v] = parts.map((part) => b.op('Reshape', [part, b.ints([2, 5, 3, 2])]));
    const head = (x: string, perm: readonly number[]) => b.op('Transpose', [x], { perm: ints(perm) });
    const keys = head(k!, [0, 2, 3, 1]);
    const scale = b.scalar(0.8, 'x');
    const scores = b.op('MatMul', [
      b.op('Mul', [head(q!, [0, 2, 1, 3]), scale]),
      scaleKeys ? b.op('Mul', [keys, scale]) : keys,
    ]);
    const mask = b.constant(
      'float64',
      [1, 1, 5, 5],
      Array.from({ length: 25 }, (_, i) => (i % 5 > i / 5 ? -1e9 : 0)),
    );
    const weights = b.op('Softmax', [b.op('Add', [scores, mask])], { axis: int(-1) });
    const mixed = head(b.op('MatMul', [weights, head(v!, [0, 2, 1, 3])]), [0, 2, 1, 3]);
    return [b.op('MatMul', [b.op('Reshape', [mixed, b.ints([2, 5, 6])]), weight(b, [6, 4], 2)])];
  });

/** Written out as exporters do it, in single precision: onnxruntime has no other Erf. */
const erfGelu = (order: 0 | 1 | 2) =>
  graphOf(
    { x: [3, 4] },
    (b) => {
      const half = b.scalar(0.5, 'x');
      const erf =
        order === 0 ? b.op('Div', ['x', b.scalar(Math.SQRT2, 'x')]) : b.op('Mul', ['x', b.scalar(Math.SQRT1_2, 'x')]);
      const one = b.op('Add', [b.op('Erf', [erf]), b.scalar(1, 'x')]);
      if (order === 0) return [b.op('Mul', [b.op('Mul', ['x', one]), half])];
      if (order === 1) return [b.op('Mul', [b.op('Mul', ['x', half]), one])];
      return [b.op('Mul', ['x', b.op('Mul', [one, half])])];
    },
    'float32',
  );

const GRAPHS: Readonly<Record<string, () => Graph>> = {
  attention: () => attention(false),
  'attention with scaled keys': () => attention(true),
  'softmax whose weights are read twice': () =>
    graphOf({ x: [2, 3, 3], v: [2, 3, 4] }, (b) => {
      const weights = b.op('Softmax', ['x'], { axis: int(-1) });
      return [b.op('MatMul', [weights, 'v']), b.op('Sin', [weights])];
    }),
  'softmax broadcast over heads': () =>
    graphOf({ x: [1, 3, 3], v: [2, 3, 4] }, (b) => [b.op('MatMul', [b.op('Softmax', ['x'], { axis: int(-1) }), 'v'])]),
  'SwiGLU on halves of one projection': () =>
    graphOf({ x: [2, 3, 4] }, (b) => {
      const both = b.op('MatMul', ['x', weight(b, [4, 10], 3)]);
      const [gate, up] = b.multi('Split', [both], { axis: int(-1), num_outputs: int(2) }, { outputs: 2 });
      const swish = b.op('Mul', [gate!, b.op('Sigmoid', [gate!])]);
      return [b.op('MatMul', [b.op('Mul', [swish, up!]), weight(b, [5, 4], 4)])];
    }),
  'SiLU with the sigmoid first': () => graphOf({ x: [3] }, (b) => [b.op('Mul', [b.op('Sigmoid', ['x']), 'x'])]),
  'RMS norm and a residual': () =>
    graphOf({ x: [2, 3, 4] }, (b) => {
      const mean = b.op('ReduceMean', [b.op('Mul', ['x', 'x']), b.ints([-1])], { keepdims: int(1) });
      const sigma = b.op('Sqrt', [b.op('Add', [mean, b.scalar(1e-5, 'x')])]);
      const norm = b.op('Mul', [b.op('Div', ['x', sigma]), weight(b, [4], 5)]);
      return [b.op('Add', ['x', b.op('Tanh', [b.op('Mul', [norm, b.scalar(3, 'x')])])])];
    }),
  'RMS norm by Pow and Reciprocal': () =>
    graphOf({ x: [2, 4] }, (b) => {
      const mean = b.op('ReduceMean', [b.op('Pow', ['x', b.scalar(2, 'x')]), b.ints([1])], { keepdims: int(1) });
      return [b.op('Mul', ['x', b.op('Reciprocal', [b.op('Sqrt', [b.op('Add', [mean, b.scalar(1e-5, 'x')])])])])];
    }),
  'rotary positions': () =>
    graphOf({ x: [2, 3, 4] }, (b) => {
      const part = (from: number, to: number) => b.op('Slice', ['x', b.ints([from]), b.ints([to]), b.ints([2])]);
      const turned = b.op('Concat', [b.op('Neg', [part(2, 4)]), part(0, 2)], { axis: int(-1) });
      return [b.op('Add', [b.op('Mul', ['x', weight(b, [3, 4], 6)]), b.op('Mul', [turned, weight(b, [3, 4], 7)])])];
    }),
  'overlapping slices with a gap': () =>
    graphOf({ x: [2, 9] }, (b) => {
      const part = (from: number, to: number) => b.op('Slice', ['x', b.ints([from]), b.ints([to]), b.ints([1])]);
      return [b.op('Mul', [part(0, 3), part(2, 5)]), b.op('Sin', [part(6, 8)])];
    }),
  'splice into a prompt': () =>
    graphOf({ x: [1, 3, 2] }, (b) => [
      b.op('Sin', [b.op('Concat', [weight(b, [1, 2, 2], 8), 'x', weight(b, [1, 1, 2], 9)], { axis: int(1) })]),
    ]),
  'mean of a mean, all thin': () =>
    graphOf({ x: [2, 3, 4] }, (b) => {
      const rows = b.op('ReduceMean', ['x', b.ints([2])], { keepdims: int(0) });
      return [b.op('ReduceSum', [b.op('Add', [rows, weight(b, [2, 3], 10)])], { keepdims: int(0) })];
    }),
  'a value that is used many times': () =>
    graphOf({ x: [2, 2] }, (b) => {
      const y = b.op('Exp', ['x']);
      return [b.op('Sum', [b.op('Mul', [y, 'x']), b.op('Sin', [y]), y, b.op('Neg', ['x'])])];
    }),
  'an integer side branch': () =>
    graphOf({ x: [4] }, (b) => {
      const floor = b.op('Cast', [b.op('Cast', [b.op('Mul', ['x', b.scalar(3, 'x')])], { to: int(7) })], {
        to: int(11),
      });
      return [b.op('Mul', ['x', b.op('Add', [b.op('Identity', [floor]), b.scalar(1.5, 'x')])])];
    }),
};

describe('gradients of graphs', () => {
  for (const [name, make] of Object.entries(GRAPHS)) {
    it(`${name}: matches finite differences`, () => checkGraph(make(), 11));
  }

  for (const order of [0, 1, 2] as const) {
    it(`Gelu written with Erf (form ${String(order)}) becomes one operator and keeps its gradient`, async () => {
      const graph = erfGelu(order);
      await checkGraph(graph, 12);
      const bound = cloneGraph(graph);
      bind(bound, {});
      assert.deepEqual(
        bound.nodes.map(({ op }) => op),
        ['Gelu'],
      );
      await checkGraph(bound, 12);
    });
  }

  it('differentiates with respect to several values, intermediate ones among them', async () => {
    const graph = graphOf({ a: [2, 3], c: [3] }, (b) => [
      b.op('Mul', [b.op('Sin', ['a'], {}, { as: 'middle' }), b.op('Exp', ['c'])], {}, { as: 'y' }),
    ]);
    await checkGraph(graph, 13);
    const copy = cloneGraph(graph);
    addInput(copy, 'w', 'float64', [2, 3]);
    const gradients = differentiate(copy, { of: [{ value: 'y', cotangent: 'w' }], wrt: ['a', 'c', 'middle'] });
    assert.deepEqual(Object.keys(gradients), ['a', 'c', 'middle']);
    for (const [value, gradient] of Object.entries(gradients)) assert.deepEqual(copy.dims(gradient), copy.dims(value));
  });

  it('computes no gradient of weights and nothing off the path', () => {
    const graph = graphOf({ x: [2, 3], side: [2, 4] }, (b) => [
      b.op('Add', [b.op('MatMul', ['x', weight(b, [3, 4], 14)]), b.op('Erf', ['side'])], {}, { as: 'y' }),
    ]);
    const gradient = gradientOf(graph, 'y', ['x']);
    // dx = dy·Wᵀ: neither the forward product nor the side branch is needed.
    assert.deepEqual(gradient.nodes.map(({ op }) => op).sort(), ['MatMul', 'Transpose']);
  });

  it('joins the gradients of slices instead of padding and adding them', () => {
    const gradient = gradientOf(
      graphOf({ x: [2, 4] }, (b) => {
        const [left, right] = b.multi('Split', ['x', b.ints([1, 3])], { axis: int(1) }, { outputs: 2 });
        return [b.op('Concat', [b.op('Sin', [right!]), b.op('Cos', [left!])], { axis: int(1) }, { as: 'y' })];
      }),
      'y',
      ['x'],
    );
    assert.equal(counts(gradient, 'Concat'), 1);
    assert.equal(counts(gradient, 'Pad') + counts(gradient, 'Add') + counts(gradient, 'Sum'), 0);
  });

  it('names operator, domain, node, file and remedy where a rule is missing', () =>
    inFolder((folder) => {
      const graph = new Graph();
      graph.opsets.set('', 20);
      addInput(graph, 'x', 'float32', [3, 2, 2]);
      graph.outputs = [new Builder(graph).op('Det', ['x'], {}, { as: 'y' })];
      graph.nodes[0]!.name = '/layers.0/det';
      const read = readGraph(writeModel(folder, 'det.onnx', graph));
      bind(read, {});
      addInput(read, 'w', 'float32', [3]);
      const attempt = () => differentiate(read, { of: [{ value: 'y', cotangent: 'w' }], wrt: ['x'] });
      assert.throws(attempt, LensError);
      assert.throws(
        attempt,
        /no gradient rule .*operator Det, domain ai\.onnx, node "\/layers\.0\/det", file ".*det\.onnx"\)\. Add a rule in kernel\/autodiff\/rules/,
      );
    }));

  it('does not mind an operator without a rule beside the path', () => {
    const graph = graphOf({ x: [3], side: [3, 2, 2] }, (b) => [
      b.op('Add', ['x', b.op('Det', ['side'])], {}, { as: 'y' }),
    ]);
    gradientOf(graph, 'y', ['x']);
  });

  it('says so where there is no dependence, or only through integers', () => {
    const graph = graphOf({ x: [3], z: [3] }, (b) => [b.op('Add', ['x', b.op('Floor', ['z'])], {}, { as: 'y' })]);
    assert.throws(() => gradientOf(graph, 'y', ['z']), /"y" does not depend on "z"/);
  });

  it('asks for weights where the objective is not one number', () => {
    const graph = graphOf({ x: [3] }, (b) => [
      b.op('Sin', ['x'], {}, { as: 'y' }),
      b.op('ReduceSum', ['y'], {}, { as: 'sum' }),
    ]);
    assert.throws(
      () => differentiate(cloneGraph(graph), { of: [{ value: 'y' }], wrt: ['x'] }),
      /shape \[3\] and no weights\. Name a cotangent/,
    );
    assert.ok(differentiate(cloneGraph(graph), { of: [{ value: 'sum' }], wrt: ['x'] })['x']);
  });
});
