import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { CASES } from '../autodiff/cases.ts';
import type { Cases } from '../autodiff/cases.ts';
import { drawInput, random } from '../autodiff/check.ts';
import type { DType } from '../../kernel/onnx/index.ts';
import {
  Builder,
  Graph,
  addInput,
  bind,
  cloneGraph,
  constantOf,
  constantValues,
  float,
  int,
  text,
  readGraph,
  sizeOf,
} from '../../kernel/onnx/index.ts';
import { FOLD_RULES } from '../../kernel/onnx/fold/index.ts';
import { distance, float32, inFolder, numbers, runGraph, runModel, wave, writeModel } from './run.ts';

const tensorOf = (dtype: DType, dims: readonly number[], values: readonly number[]): ort.Tensor =>
  dtype === 'int64'
    ? new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [...dims])
    : dtype === 'int8'
      ? new ort.Tensor('int8', Int8Array.from(values), [...dims])
      : dtype === 'bool'
        ? new ort.Tensor('bool', Uint8Array.from(values), [...dims])
        : float32(dims, values);

const small = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 });
const integers = (low = -4, high = 4): Cases =>
  small.chain((dims) =>
    fc
      .tuple(
        ...[0, 1].map(() =>
          fc.array(fc.integer({ min: low, max: high }), { minLength: sizeOf(dims), maxLength: sizeOf(dims) }),
        ),
      )
      .map((both) => ({ inputs: both.map((values) => ({ dims, values, dtype: 'int64' as const })) })),
  );
const booleans = (count: number): Cases =>
  small.chain((dims) =>
    fc
      .tuple(
        ...Array.from({ length: count }, () =>
          fc.array(fc.nat(1), { minLength: sizeOf(dims), maxLength: sizeOf(dims) }),
        ),
      )
      .map((all) => ({ inputs: all.map((values) => ({ dims, values, dtype: 'bool' as const })) })),
  );
const reals: Cases = small.map((dims) => ({ inputs: [{ dims, range: [-3, 3] as const }] }));
const line = (values: readonly number[]) => ({
  dims: [values.length],
  values,
  dtype: 'int64' as const,
  fixed: 'constant' as const,
});
const scalar = (value: number) => ({ dims: [], values: [value], dtype: 'int64' as const, fixed: 'constant' as const });

/** Operators that are folded but have no gradient. */
const MORE: Readonly<Record<string, Cases>> = {
  And: booleans(2),
  ArgMax: reals.map((draft) => ({ ...draft, attributes: { axis: int(-1), keepdims: int(0) } })),
  ArgMin: reals.map((draft) => ({ ...draft, attributes: { axis: int(0), keepdims: int(1) } })),
  Ceil: reals,
  ConstantOfShape: small.map((dims) => ({
    inputs: [line(dims)],
    attributes: { value: { kind: 'tensor', value: constantOf('int64', [1], [7]) } },
  })),
  Div: integers(1, 9),
  Equal: integers(0, 2),
  Floor: reals,
  Greater: integers(),
  GreaterOrEqual: integers(),
  IsNaN: reals,
  Less: integers(),
  LessOrEqual: integers(),
  Mod: integers(1, 9),
  Not: booleans(1),
  OneHot: fc.array(fc.integer({ min: -4, max: 3 }), { minLength: 1, maxLength: 3 }).map((chosen) => ({
    inputs: [line(chosen), scalar(4), line([2, 5])],
    attributes: { axis: int(-1) },
  })),
  Or: booleans(2),
  Range: fc
    .tuple(fc.integer({ min: -5, max: 5 }), fc.integer({ min: -5, max: 9 }), fc.constantFrom(-2, 1, 3))
    .map(([start, limit, step]) => ({ inputs: [scalar(start), scalar(limit), scalar(step)] })),
  Round: small.map((dims) => ({ inputs: [{ dims, values: wave(sizeOf(dims)).map((x) => Math.round(x * 4) / 2) }] })),
  Sign: reals,
  Xor: booleans(2),
};

describe('binding', () => {
  describe('computes shapes and small constants as onnxruntime does', () => {
    const all: readonly (readonly [string, Cases])[] = [...Object.entries(CASES), ...Object.entries(MORE)];
    for (const [op, cases] of all) {
      it(op, () =>
        fc.assert(
          fc.asyncProperty(cases, fc.nat(1e6), async (draft, seed) => {
            const next = random(seed);
            const graph = new Graph();
            graph.opsets.set('', draft.opset ?? 20);
            const b = new Builder(graph);
            const feeds: Record<string, ort.Tensor> = {};
            const constants: Record<string, ReturnType<typeof constantOf>> = {};
            const names = draft.inputs.map((input, i) => {
              if (input === null) return '';
              const dtype = input.dtype ?? 'float32';
              const values = drawInput(input, next);
              if (input.fixed === 'constant') return b.constant(dtype, input.dims, values);
              const name = addInput(graph, `x${String(i)}`, dtype, input.dims);
              feeds[name] = tensorOf(dtype, input.dims, values);
              constants[name] = constantOf(dtype, input.dims, values);
              return name;
            });
            if (draft.twice === true) names.push(names[0]!);
            graph.outputs = [...b.multi(op, names, draft.attributes ?? {}, { outputs: draft.outputs ?? 1 })];
            const inferred = graph.outputs.map((name) => graph.dims(name));
            const folded = cloneGraph(graph);
            // Without declared types onnxruntime finds shapes by itself.
            for (const output of graph.outputs) graph.types.delete(output);
            const result = await runGraph(graph, feeds);
            graph.outputs.forEach((name, i) => {
              assert.deepEqual((result[name] as ort.Tensor).dims.map(Number), inferred[i], `${op}: the inferred shape`);
            });
            bind(folded, { constants });
            if (FOLD_RULES[op] === undefined) return;
            assert.deepEqual(folded.nodes, [], `${op} was not computed`);
            for (const name of folded.outputs) {
              const actual = Array.from(constantValues(folded.constants.get(name)!));
              assert.ok(distance(actual, numbers(result[name])) < 1e-5, `${op}: ${String(actual)}`);
            }
          }),
          { seed: 7, numRuns: 6 },
        ),
      );
    }
  });

  it('says which dimension has no size', () => {
    const graph = new Graph();
    graph.inputs.push({ name: 'x', dtype: 'float32', dims: ['batch', 'sequence'] });
    assert.throws(
      () => bind(graph, { dims: { batch: 1 } }),
      /dimension "sequence" of input "x" has no size\. Bind it; bound are: batch/,
    );
  });

  it('says which input does not exist', () => {
    const graph = new Graph();
    graph.inputs.push({ name: 'x', dtype: 'float32', dims: [1] });
    assert.throws(
      () => bind(graph, { constants: { y: constantOf('float32', [1], [0]) } }),
      /no input "y"\. Its inputs are: x/,
    );
    assert.throws(
      () => bind(graph, { constants: { x: constantOf('int64', [1], [0]) } }),
      /"x" takes float32, not int64/,
    );
  });

  it('says which shapes do not fit, with node and operator', () => {
    const graph = new Graph();
    addInput(graph, 'a', 'float32', [2, 3]);
    addInput(graph, 'b', 'float32', [4, 5]);
    assert.throws(
      () => new Builder(graph).op('MatMul', ['a', 'b']),
      /\[2, 3\] and \[4, 5\] cannot be multiplied \(operator MatMul, domain ai\.onnx/,
    );
    assert.throws(() => new Builder(graph).op('Add', ['a', 'b']), /\[2, 3\] and \[4, 5\] do not fit/);
  });

  it('says which operator it does not know, and in which file', () =>
    inFolder((folder) => {
      const graph = new Graph();
      addInput(graph, 'x', 'float32', [1]);
      graph.opsets.set('', 18);
      graph.nodes.push({
        op: 'Bend',
        domain: 'org.example',
        name: '/head/bend',
        inputs: ['x'],
        outputs: ['y'],
        attributes: {},
      });
      graph.outputs = ['y'];
      const read = readGraph(writeModel(folder, 'odd.onnx', graph));
      assert.throws(
        () => bind(read, {}),
        /unknown operator \(operator Bend, domain org\.example, node "\/head\/bend", file ".*odd\.onnx"\)\. Add a shape rule/,
      );
    }));

  it('takes the branch of an If that is known', async () => {
    const branch = (op: string) => {
      const inner = new Graph();
      inner.nodes.push({ op, domain: '', name: '', inputs: ['x'], outputs: ['r'], attributes: {} });
      inner.outputs = ['r'];
      return { kind: 'graph' as const, value: inner };
    };
    const graph = new Graph();
    graph.opsets.set('', 18);
    addInput(graph, 'x', 'float32', [2]);
    addInput(graph, 'use_cache', 'bool', []);
    graph.nodes.push({
      ...{ op: 'If', domain: '', name: 'choice', inputs: ['use_cache'], outputs: ['y'] },
      attributes: { then_branch: branch('Neg'), else_branch: branch('Exp') },
    });
    graph.outputs = ['y'];
    await inFolder(async (folder) => {
      const path = writeModel(folder, 'if.onnx', graph);
      for (const [value, expected] of [
        [1, [-1, -2]],
        [0, [Math.E, Math.E ** 2]],
      ] as const) {
        const read = readGraph(path);
        bind(read, { constants: { use_cache: constantOf('bool', [], [value]) } });
        assert.ok(read.nodes.every(({ op }) => op !== 'If'));
        const result = await runGraph(read, { x: float32([2], [1, 2]) });
        assert.ok(distance(numbers(result['y']), expected) < 1e-5);
      }
    });
  });

  it('drops an empty key-value cache', () => {
    const graph = new Graph();
    graph.opsets.set('', 18);
    addInput(graph, 'past', 'float32', [1, 2, 0, 4]);
    addInput(graph, 'now', 'float32', [1, 2, 3, 4]);
    const b = new Builder(graph);
    graph.outputs = [b.op('Neg', [b.op('Concat', ['past', 'now'], { axis: int(2) })])];
    bind(graph, { constants: { past: constantOf('float32', [1, 2, 0, 4], []) } });
    assert.deepEqual(
      graph.nodes.map(({ op, inputs }) => [op, inputs]),
      [['Neg', ['now']]],
    );
  });
});

describe('older operator sets', () => {
  it('are brought to one form and compute the same', async () => {
    const graph = new Graph();
    graph.opsets.set('', 11);
    graph.inputs.push({ name: 'x', dtype: 'float32', dims: ['n', 3, 4] });
    const node = (op: string, inputs: string[], outputs: string[], attributes = {}) =>
      graph.nodes.push({ op, domain: '', name: '', inputs, outputs, attributes });
    const axes = (...value: number[]) => ({ kind: 'ints' as const, value });
    node('Softmax', ['x'], ['soft'], { axis: int(1) });
    node('Split', ['soft'], ['left', 'right'], { axis: int(2), split: axes(1, 3) });
    node('ReduceSum', ['right'], ['sum'], { axes: axes(2), keepdims: int(1) });
    node('ReduceMean', ['x'], ['mean'], { axes: axes(-1), keepdims: int(1) });
    node('Add', ['sum', 'mean'], ['all']);
    node('Mul', ['all', 'left'], ['product']);
    node('Squeeze', ['product'], ['flat'], { axes: axes(2) });
    node('Unsqueeze', ['flat'], ['tall'], { axes: axes(0) });
    node('LogSoftmax', ['tall'], ['y'], { axis: int(-1) });
    node('LeakyRelu', ['y'], ['z'], { alpha: float(0.5) });
    graph.outputs = ['z'];
    await inFolder(async (folder) => {
      const path = writeModel(folder, 'old.onnx', graph);
      const feeds = { x: float32([2, 3, 4], wave(24)) };
      const expected = await runModel(path, feeds);
      const read = readGraph(path);
      assert.equal(read.opsets.get(''), 18);
      bind(read, { dims: { n: 2 } });
      const actual = await runGraph(read, feeds);
      assert.ok(distance(numbers(actual['z']), numbers(expected['z'])) < 1e-6);
    });
  });

  it('of version 9 with attributes that became inputs compute the same', async () => {
    const graph = new Graph();
    graph.opsets.set('', 9);
    graph.inputs.push({ name: 'x', dtype: 'float32', dims: ['n', 2, 4, 3] });
    const node = (op: string, inputs: string[], outputs: string[], attributes = {}) =>
      graph.nodes.push({ op, domain: '', name: '', inputs, outputs, attributes });
    const list = (...value: number[]) => ({ kind: 'ints' as const, value });
    graph.setConstant('scales', constantOf('float32', [4], [1, 1, 2, 3]));
    node('Clip', ['x'], ['clipped'], { min: float(-0.4), max: float(0.6) });
    node('Upsample', ['clipped', 'scales'], ['large'], { mode: text('nearest') });
    node('Pad', ['large'], ['padded'], { pads: list(0, 0, 1, 0, 0, 0, 0, 2), value: float(0.3) });
    node('Slice', ['padded'], ['part'], { starts: list(1, 2), ends: list(9, 100), axes: list(2, 3) });
    node('TopK', ['part'], ['top', 'which'], { k: int(2), axis: int(3) });
    node('Dropout', ['top'], ['y'], { ratio: float(0.5) });
    graph.outputs = ['y'];
    await inFolder(async (folder) => {
      const path = writeModel(folder, 'old.onnx', graph);
      const feeds = { x: float32([1, 2, 4, 3], wave(24)) };
      const expected = await runModel(path, feeds);
      const read = readGraph(path);
      bind(read, { dims: { n: 1 } });
      const actual = await runGraph(read, feeds);
      assert.ok(distance(numbers(actual['y']), numbers(expected['y'])) < 1e-6);
      assert.equal(numbers(actual['y']).length, 32);
    });
  });
});
