/**
 * The official ONNX node tests, which the `onnx` package ships as code. Each one goes the way of a real model: read, upgraded,
 * bound, lowered, written and run. What comes out must be what ONNX expects; and the gradient of each float input must agree with
 * finite differences. What cannot apply is left out for a written reason, and counted.
 */
import assert from 'node:assert/strict';
import * as ort from 'onnxruntime-node';
import { differentiate } from '../../kernel/autodiff/index.ts';
import type { Constant, Graph } from '../../kernel/onnx/index.ts';
import { addInput, bind, constantValues, lower, prune, readGraph, serialise } from '../../kernel/onnx/index.ts';
import { drawInput, random } from '../autodiff/check.ts';
import { skipBecause } from '../skip.ts';
import type { NodeCase } from './node-cases.ts';
import { nodeTestFolder, readCases, toTensor } from './node-cases.ts';

/** The newest operator set that onnxruntime-node loads. */
const NEWEST = 24;

/** A case that is left out; the reason is one of a few, so that they can be counted. */
class Excluded extends Error {}

/** What onnxruntime could not load or run. */
class RuntimeFailure extends Error {}

/** A result that is not what ONNX expects. */
class Mismatch extends Error {}

/** Operators that no vision-language model or common vision model contains, and why they are not supported. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  ...reason('training: losses and optimisers', 'SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss'),
  ...reason('training: losses and optimisers', 'Adagrad', 'Adam', 'Momentum', 'Gradient'),
  ...reason('not deterministic', 'Bernoulli', 'Multinomial', 'RandomNormal', 'RandomUniform', 'RandomUniformLike'),
  ...reason('text', 'StringConcat', 'StringNormalizer', 'StringSplit', 'RegexFullMatch', 'TfIdfVectorizer'),
  ...reason('classical machine learning', 'ArrayFeatureExtractor', 'Binarizer', 'LabelEncoder', 'TreeEnsemble'),
  ...reason('audio', 'BlackmanWindow', 'HammingWindow', 'HannWindow', 'DFT', 'MelWeightMatrix', 'STFT'),
  ...reason('decodes files', 'ImageDecoder'),
  ...reason('sequences and optional values', 'OptionalGetElement', 'OptionalHasElement', 'SplitToSequence'),
  ...reason('sequences and optional values', 'SequenceInsert', 'SequenceMap', 'SequenceConstruct', 'SequenceEmpty'),
  ...reason('sequences and optional values', 'SequenceLength', 'SequenceAt', 'Optional', 'ConcatFromSequence'),
  ...reason('size or course of the run depends on the data', 'If', 'Loop', 'Scan', 'NonMaxSuppression', 'Unique'),
  ...reason('recurrent networks', 'GRU', 'LSTM', 'RNN'),
  ...reason('8-bit arithmetic, which has no gradient', 'QLinearConv', 'QLinearMatMul', 'ConvInteger', 'MatMulInteger'),
  ...reason('8-bit arithmetic, which has no gradient', 'QuantizeLinear', 'DynamicQuantizeLinear'),
  ...reason('newer than operator set 23', 'BitCast', 'CausalConvWithState', 'CumProd', 'FlexAttention'),
  ...reason('newer than operator set 23', 'LinearAttention', 'SwiGLU', 'TensorScatter'),
  ...reason('in no model of images and text that we know of', 'AffineGrid', 'CenterCropPad', 'Col2Im', 'DeformConv'),
  ...reason('in no model of images and text that we know of', 'GridSample', 'MaxUnpool', 'RoiAlign', 'Scatter'),
  ...reason('in no model of images and text that we know of', 'Upsample'),
};

function reason(why: string, ...ops: readonly string[]): Record<string, string> {
  return Object.fromEntries(ops.map((op) => [op, why]));
}

/** What our reader and binder refuse, by their messages. */
const REFUSALS: readonly (readonly [message: RegExp, why: string])[] = [
  [/older than 9/, 'older than operator set 9'],
  [/is not a tensor|has the unsupported type 13/, 'sequences and optional values'],
  [/unsupported element type|to an unsupported type/, 'types of 2, 4 and 8 bits that no export uses'],
  [/training mode/, 'training mode'],
  [/Attention with "|causal Attention with nonpad/, 'Attention of operator sets newer than 23'],
  [/decides a shape but depends/, 'half precision that decides a shape'],
];

/** Single cases that are left out. */
const CASES_LEFT_OUT: readonly (readonly [name: RegExp, why: string])[] = [
  [
    /^test_attention.*(fullymasked|nan_robustness|softmax_precision|structural_empty|gqa_rank4_mask)/,
    'rows of attention in which every key is masked: undefined in onnxruntime, and in no model',
  ],
];

/** Gradients are not defined, or not by a formula, for these. */
const NO_GRADIENT: readonly (readonly [message: RegExp, why: string])[] = [
  [/does not depend on|no value of the graph depends/, 'nothing real flows from the inputs to the outputs'],
  [/training mode/, 'training mode'],
  [/rounds its activations/, '8-bit arithmetic, which has no gradient'],
  [/operator Det,/, 'Det has no gradient rule: no model of images uses it'],
];

const tally = { forward: 0, folded: 0, gradients: 0 };
const excluded = new Map<string, number>();
const withoutGradient = new Map<string, number>();
const count = (map: Map<string, number>, why: string) => map.set(why, (map.get(why) ?? 0) + 1);

const isNumber = (constant: Constant): boolean => constant.dtype === 'float32' || constant.dtype === 'float64';
const decodable = (dtype: string): boolean => !['int4', 'uint4', 'string'].includes(dtype);

/** Binds with as few inputs fixed as it takes: shapes and axes must be known, numbers need not. */
function bound(test: NodeCase, inputs: ReadonlyMap<string, Constant>): { graph: Graph; fed: readonly string[] } {
  const names = [...inputs.keys()];
  const attempts: readonly (readonly string[])[] = [
    [],
    names.filter((name) => !isNumber(inputs.get(name)!)),
    names.slice(1),
    names,
  ];
  for (const [i, fixed] of attempts.entries()) {
    const graph = readGraph(test.model);
    // Later sets only added element types to the operators that we know.
    graph.opsets.set('', Math.min(graph.opsets.get('')!, NEWEST));
    const fed = names.filter((name) => !fixed.includes(name));
    try {
      bind(graph, {
        constants: Object.fromEntries(fixed.map((name) => [name, inputs.get(name)!])),
        shapes: Object.fromEntries(fed.map((name) => [name, inputs.get(name)!.dims])),
      });
      lower(graph);
      return { graph, fed };
    } catch (error) {
      const { message } = error as Error;
      if (!/decides a shape/.test(message) || i === attempts.length - 1) throw error;
    }
  }
  throw new Error('unreachable');
}

const create = (model: Uint8Array | string): Promise<ort.InferenceSession> => {
  const options = { logSeverityLevel: 4, intraOpNumThreads: 1 } as const;
  return typeof model === 'string'
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options);
};

/** Numbers of a tensor; half precision comes as bits. */
const numbersOf = (tensor: ort.Tensor): Float64Array => {
  const { data } = tensor;
  if (tensor.type === 'float16') {
    const bytes = data as Uint16Array;
    return constantValues({
      dtype: 'float16',
      dims: tensor.dims,
      data: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    });
  }
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
};

function difference(actual: ArrayLike<number>, expected: ArrayLike<number>, test: NodeCase): string | undefined {
  if (actual.length !== expected.length) return `${String(actual.length)} values instead of ${String(expected.length)}`;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    // ONNX's own tolerance, with room for another order of additions.
    if (Math.abs(a - e) <= Math.max(test.atol, 2e-6) + test.rtol * Math.abs(e)) continue;
    return `element ${String(i)} is ${String(a)} instead of ${String(e)}`;
  }
  return undefined;
}

/** What differs between a run's results and what ONNX expects; undefined where nothing does. */
function mismatch(
  test: NodeCase,
  results: Readonly<Record<string, ort.OnnxValue>>,
  names: readonly string[],
): string | undefined {
  const { outputs } = test.data();
  for (const [i, name] of names.entries()) {
    const expected = outputs[i];
    if (expected === undefined || !decodable(expected.dtype)) continue;
    const tensor = results[name] as ort.Tensor;
    const dims = tensor.dims.map(Number);
    if (dims.join() !== expected.dims.join()) return `shape [${dims.join()}] instead of [${expected.dims.join()}]`;
    const found = difference(numbersOf(tensor), constantValues(expected), test);
    if (found !== undefined) return `${name}: ${found}`;
  }
  return undefined;
}

const feedsOf = (inputs: ReadonlyMap<string, Constant>, names: readonly string[]): Record<string, ort.Tensor> =>
  Object.fromEntries(
    names.map((name) => {
      const tensor = toTensor(inputs.get(name)!);
      if (tensor === undefined) throw new Excluded('types that onnxruntime-node cannot be fed');
      return [name, tensor];
    }),
  );

/** The same model as it is, run by onnxruntime without us: undefined where it cannot, else what is wrong with its result. */
async function original(test: NodeCase, inputs: ReadonlyMap<string, Constant>): Promise<string | undefined> {
  let session: ort.InferenceSession | undefined;
  try {
    session = await create(test.model);
    const results = await session.run(feedsOf(inputs, session.inputNames));
    return mismatch(test, results, test.outputNames) ?? 'as expected';
  } catch {
    return undefined;
  } finally {
    await session?.release();
  }
}

/** Runs one case. @throws Excluded where it cannot apply */
async function check(test: NodeCase): Promise<void> {
  for (const [name, why] of CASES_LEFT_OUT) if (name.test(test.name)) throw new Excluded(why);
  const data = test.data();
  if ([...data.inputs, ...data.outputs].some((value) => value === undefined)) {
    throw new Excluded('strings, sequences and types of 2, 4 and 8 bits');
  }
  const inputs = new Map(test.inputNames.map((name, i) => [name, data.inputs[i]!]));
  let session: ort.InferenceSession | undefined;
  try {
    const { graph, fed } = bound(test, inputs);
    const outputs = [...graph.outputs];
    const differentiated = withGradients(graph, fed, inputs);
    session = await create(serialise(graph)).catch((cause: unknown) => {
      throw new RuntimeFailure((cause as Error).message);
    });
    const feeds = feedsOf(inputs, fed);
    for (const [name, { type, dims, values }] of differentiated?.weights ?? []) {
      feeds[name] = new ort.Tensor(type, (type === 'float64' ? Float64Array : Float32Array).from(values), [...dims]);
    }
    const results = await session.run(feeds).catch((cause: unknown) => {
      throw new RuntimeFailure((cause as Error).message);
    });
    const found = mismatch(test, results, outputs);
    if (found !== undefined) throw new Mismatch(found);
    tally.forward++;
    checkFolding(test, inputs);
    if (differentiated !== undefined) await checkGradients(session, feeds, differentiated);
  } catch (error) {
    if (error instanceof Excluded) throw error;
    const { message } = error as Error;
    for (const [pattern, why] of REFUSALS) if (pattern.test(message)) throw new Excluded(why);
    const op = /operator (\w+), domain/.exec(message)?.[1] ?? '';
    if (/unknown operator|cannot be bound|depends on the data/.test(message)) {
      const why = UNSUPPORTED[op] ?? UNSUPPORTED[test.op.replace(/^.*\./, '')];
      if (why !== undefined) throw new Excluded(why);
    }
    if (!(error instanceof RuntimeFailure || error instanceof Mismatch)) throw error;
    const alone = await original(test, inputs);
    if (error instanceof RuntimeFailure && alone === undefined) {
      throw new Excluded('onnxruntime cannot run the original either');
    }
    if (alone === message) throw new Excluded('onnxruntime gives another result by itself');
    throw error;
  } finally {
    await session?.release();
  }
}

/** With every input known, whatever our own arithmetic can compute must come out the same. */
function checkFolding(test: NodeCase, inputs: ReadonlyMap<string, Constant>): void {
  if ([...inputs.values()].some(({ dtype }) => !decodable(dtype))) return;
  const graph = readGraph(test.model);
  bind(graph, { constants: Object.fromEntries(inputs) });
  const { outputs } = test.data();
  for (const [i, name] of graph.outputs.entries()) {
    const constant = graph.constants.get(name);
    const expected = outputs[i]!;
    if (constant === undefined || inputs.has(name) || !decodable(expected.dtype)) continue;
    assert.equal(constant.dims.join(), expected.dims.join(), `the computed shape of ${name}`);
    const found = difference(constantValues(constant), constantValues(expected), test);
    assert.equal(found, undefined, `computed when binding: ${String(found)}`);
    tally.folded++;
  }
}

interface Weight {
  readonly type: 'float32' | 'float64';
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

interface Differentiated {
  /** The gradient's name for each input. */
  readonly gradients: Readonly<Record<string, string>>;
  /** What the elements of each output are weighed with, by the name of the added input. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** The outputs that are weighed, by the same names. */
  readonly weighed: ReadonlyMap<string, string>;
}

/** Adds the gradients of every float input to the graph's outputs; undefined where there is none, for a counted reason. */
function withGradients(
  graph: Graph,
  fed: readonly string[],
  inputs: ReadonlyMap<string, Constant>,
): Differentiated | undefined {
  const none = (why: string): undefined => {
    count(withoutGradient, why);
    return undefined;
  };
  const wrt = fed.filter((name) => isNumber(inputs.get(name)!) && inputs.get(name)!.dims.every((dim) => dim > 0));
  if (wrt.length === 0) return none('no float input, or half precision only');
  if (wrt.some((name) => constantValues(inputs.get(name)!).some((value) => !Number.isFinite(value)))) {
    return none('inputs that are not finite');
  }
  const weights = new Map<string, Weight>();
  const weighed = new Map<string, string>();
  const next = random(1);
  for (const [i, output] of graph.outputs.entries()) {
    const { dtype, dims } = graph.type(output);
    if (graph.constants.has(output) || (dtype !== 'float32' && dtype !== 'float64') || dims.includes(0)) continue;
    const name = addInput(graph, `weights.${String(i)}`, dtype, dims);
    weights.set(name, { type: dtype, dims, values: drawInput({ dims }, next) });
    weighed.set(name, output);
  }
  const forget = (): void => {
    graph.inputs = graph.inputs.filter(({ name }) => !weights.has(name));
  };
  if (weights.size === 0) {
    forget();
    return none('no float output');
  }
  const of = [...weighed].map(([cotangent, value]) => ({ value, cotangent }));
  const outputs = [...graph.outputs];
  let gradients: Record<string, string> = {};
  for (const name of wrt) {
    try {
      gradients = { ...gradients, ...differentiate(graph, { of, wrt: [name] }) };
    } catch (error) {
      const known = NO_GRADIENT.find(([pattern]) => pattern.test((error as Error).message));
      if (known === undefined) throw error;
      if (wrt.length === 1) none(known[1]);
    }
  }
  // Each output of ours once, in the order that ONNX expects; then the gradients.
  graph.outputs = [...outputs, ...Object.values(gradients)];
  prune(graph);
  if (Object.keys(gradients).length > 0) return { gradients, weights, weighed };
  forget();
  return undefined;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const norm = (values: ArrayLike<number>): number => Math.sqrt(dot(values, values));

/**
 * Along the gradient and along a random direction, central differences must give the slope that the gradient says. Not at the
 * given inputs but a little beside them: those often tie, at kinks where there is more than one slope.
 */
async function checkGradients(
  session: ort.InferenceSession,
  given: Readonly<Record<string, ort.Tensor>>,
  { gradients, weights, weighed }: Differentiated,
): Promise<void> {
  const next = random(2);
  const moved = (tensor: ort.Tensor, direction: ArrayLike<number>, step: number): ort.Tensor => {
    const values = Float64Array.from(tensor.data as Float32Array, (x, i) => x + step * direction[i]!);
    const data = (tensor.type === 'float64' ? Float64Array : Float32Array).from(values);
    return new ort.Tensor(tensor.type as 'float32', data as Float32Array, tensor.dims);
  };
  const feeds = { ...given };
  for (const input of Object.keys(gradients)) {
    const tensor = feeds[input]!;
    feeds[input] = moved(tensor, drawInput({ dims: tensor.dims }, next), 0.03);
  }
  const results = await session.run(feeds);
  const objective = (values: Readonly<Record<string, ort.OnnxValue>>): number =>
    [...weighed].reduce(
      (sum, [name, output]) => sum + dot(numbersOf(values[output] as ort.Tensor), weights.get(name)!.values),
      0,
    );
  const here = objective(results);
  if (!Number.isFinite(here)) {
    count(withoutGradient, 'outputs that are not finite');
    return;
  }
  for (const [input, name] of Object.entries(gradients)) {
    const gradient = numbersOf(results[name] as ort.Tensor);
    const tensor = feeds[input]!;
    assert.deepEqual((results[name] as ort.Tensor).dims, tensor.dims, `shape of the gradient of ${input}`);
    const at = async (direction: ArrayLike<number>, step: number): Promise<number> =>
      objective(await session.run({ ...feeds, [input]: moved(tensor, direction, step) }));
    const draw = drawInput({ dims: [gradient.length] }, next);
    const [length, size] = [norm(gradient), norm(draw)];
    const directions = [draw.map((x) => x / size)];
    if (length > 0) directions.push(Array.from(gradient, (x) => x / length));
    for (const direction of directions) {
      const expected = dot(gradient, direction);
      const tolerance = 1e-2 * Math.max(length, 1e-2) + 1e-6 * Math.abs(here);
      const seen: number[] = [];
      for (const step of [1e-3, 1e-2, 1e-4, 1e-1]) {
        seen.push(((await at(direction, step)) - (await at(direction, -step))) / (2 * step));
        if (Math.abs(seen.at(-1)! - expected) <= tolerance) break;
      }
      assert.ok(
        Math.abs(seen.at(-1)! - expected) <= tolerance,
        `slope with respect to ${input}: ${String(expected)} instead of ${seen.join(', ')}`,
      );
    }
    tally.gradients++;
  }
}

const byOp = new Map<string, NodeCase[]>();
const folder = await nodeTestFolder();
for (const test of folder === undefined ? [] : readCases(folder))
  byOp.set(test.op, [...(byOp.get(test.op) ?? []), test]);

describe('official ONNX node tests', function () {
  this.timeout(120_000);

  before(function () {
    if (folder === undefined) {
      skipBecause(this, 'the official ONNX node tests', 'there is no Python with the package onnx (pip install onnx)');
    }
  });

  after(() => {
    const list = (map: ReadonlyMap<string, number>) =>
      [...map].sort(([, a], [, b]) => b - a).map(([why, number]) => `        ${String(number).padStart(4)}  ${why}`);
    console.log(
      [
        `      ${String(tally.forward)} outputs as expected, ${String(tally.folded)} of them also computed when binding`,
        `      ${String(tally.gradients)} gradients as finite differences`,
        '      left out:',
        ...list(excluded),
        '      without a gradient:',
        ...list(withoutGradient),
      ].join('\n'),
    );
  });

  for (const [op, cases] of [...byOp].sort(([a], [b]) => a.localeCompare(b))) {
    it(op, async function () {
      const failures: string[] = [];
      let applied = 0;
      for (const test of cases) {
        try {
          await check(test);
          applied++;
        } catch (error) {
          if (error instanceof Excluded) count(excluded, error.message);
          else failures.push(`${test.name}: ${(error as Error).message}`);
        }
      }
      assert.deepEqual(failures, []);
      if (applied === 0) this.skip();
    });
  }

  it('most of them apply', () => {
    const all = [...byOp.values()].reduce((sum, cases) => sum + cases.length, 0);
    const listed = [...excluded.values()].reduce((sum, number) => sum + number, 0);
    assert.equal(tally.forward + listed, all);
    assert.ok(tally.forward > all / 2, `${String(tally.forward)} of ${String(all)}`);
    assert.ok(tally.gradients > all / 2, `${String(tally.gradients)} gradients of ${String(all)} cases`);
  });
});
