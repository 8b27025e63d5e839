import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { differentiate, lowerPath } from '../../../kernel/autodiff/index.ts';
import type { Graph } from '../../../kernel/onnx/index.ts';
import {
  addInput,
  bind,
  computeInFloat32,
  constantOf,
  gatherLate,
  isReference,
  prune,
  readGraph,
  serialise,
  sizeOf,
} from '../../../kernel/onnx/index.ts';
import { drawInput, random } from '../../autodiff/check.ts';
import { distance, inFolder, numbers, runGraph, writeModel } from '../run.ts';
import { DECODER, quantisedDecoder } from './decoder.ts';

const [BATCH, LENGTH] = [2, 5];
const POSITIONS = [2, 4];
const { width, vocabulary } = DECODER;

/** Read from a file and bound as a score graph is: a whole sequence, nothing cached. */
function boundDecoder(file: string): Graph {
  const graph = readGraph(file);
  computeInFloat32(graph);
  graph.outputs = ['logits'];
  const constants = Object.fromEntries(
    graph.inputs
      .filter(({ name }) => name !== 'inputs_embeds')
      .map(({ name, dtype, dims }) =>
        name === 'attention_mask'
          ? [name, constantOf('int64', [BATCH, LENGTH], new Array<number>(BATCH * LENGTH).fill(1))]
          : [name, constantOf(dtype, [BATCH, dims[1] as number, 0, 0], [])],
      ),
  );
  const size = graph.inputs.find(({ name }) => name === 'inputs_embeds')!.dims[2] as number;
  bind(graph, { constants, shapes: { inputs_embeds: [BATCH, LENGTH, size] } });
  return graph;
}

/** ∂⟨weights, logits at POSITIONS⟩/∂inputs_embeds, by the steps of a score graph. */
function gradientGraph(file: string): Graph {
  const graph = boundDecoder(file);
  addInput(graph, 'positions', 'int64', [POSITIONS.length]);
  lowerPath(graph, { of: [{ value: 'logits' }], wrt: ['inputs_embeds'] });
  const logits = gatherLate(graph, 'logits', 'positions');
  addInput(graph, 'weights', 'float32', graph.dims(logits));
  const { inputs_embeds: gradient } = differentiate(graph, {
    of: [{ value: logits, cotangent: 'weights' }],
    wrt: ['inputs_embeds'],
  });
  graph.outputs = [logits, gradient!];
  prune(graph);
  return graph;
}

const next = random(5);
const embeds = drawInput({ dims: [BATCH, LENGTH, width] }, next);
const weights = drawInput({ dims: [BATCH, POSITIONS.length, vocabulary] }, next);
const tensor = (dims: readonly number[], values: readonly number[]) =>
  new ort.Tensor('float32', Float32Array.from(values), [...dims]);
const feeds = {
  inputs_embeds: tensor([BATCH, LENGTH, width], embeds),
  positions: new ort.Tensor('int64', BigInt64Array.from(POSITIONS, BigInt), [POSITIONS.length]),
  weights: tensor([BATCH, POSITIONS.length, vocabulary], weights),
};

/** The file itself in onnxruntime, with its fused kernels: logits at POSITIONS. */
async function original(session: ort.InferenceSession, values: readonly number[]): Promise<number[]> {
  const past = Object.fromEntries(
    session.inputNames
      .filter((name) => name.startsWith('past'))
      .map((name) => [name, tensor([BATCH, DECODER.keyHeads, 0, DECODER.head], [])]),
  );
  const mask = new ort.Tensor('int64', new BigInt64Array(BATCH * LENGTH).fill(1n), [BATCH, LENGTH]);
  const result = await session.run({
    inputs_embeds: tensor([BATCH, LENGTH, width], values),
    attention_mask: mask,
    ...past,
  });
  const all = numbers(result.logits);
  return [0, 1].flatMap((row) =>
    POSITIONS.flatMap((position) => {
      const at = (row * LENGTH + position) * vocabulary;
      return all.slice(at, at + vocabulary);
    }),
  );
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

describe('lowering: a quantised decoder', function () {
  this.timeout(60_000);

  it('gives the logits of the fused kernels and a gradient that finite differences of them confirm', () =>
    inFolder(async (folder) => {
      const file = writeModel(folder, 'decoder.onnx', quantisedDecoder());
      const graph = gradientGraph(file);
      const result = await runGraph(graph, feeds);
      const session = await ort.InferenceSession.create(file, { logSeverityLevel: 4 });
      const logits = await original(session, embeds);
      assert.ok(distance(numbers(result[graph.outputs[0]!]), logits) < 1e-4 * Math.max(...logits.map(Math.abs)));
      const gradient = numbers(result[graph.outputs[1]!]);
      const size = Math.max(...gradient.map(Math.abs));
      for (let trial = 0; trial < 20; trial++) {
        const u = drawInput({ dims: [embeds.length] }, next);
        const step = 2e-3;
        const objective = async (sign: number) =>
          dot(
            weights,
            await original(
              session,
              embeds.map((x, i) => x + sign * step * u[i]!),
            ),
          );
        const slope = ((await objective(1)) - (await objective(-1))) / (2 * step);
        const error = Math.abs(dot(u, gradient) - slope);
        assert.ok(
          error < 5e-3 * size * Math.sqrt(embeds.length),
          `slope ${String(slope)}, gradient ${String(dot(u, gradient))}`,
        );
      }
      await session.release();
    }));

  it('keeps packed weights in their file, referred to by both directions', () =>
    inFolder((folder) => {
      const file = writeModel(folder, 'decoder.onnx', quantisedDecoder());
      const graph = gradientGraph(file);
      const count = (op: string) => graph.nodes.filter((node) => node.op === op).length;
      const products = 5 * DECODER.layers + 1;
      assert.equal(count('MatMulNBits'), products);
      assert.equal(count('DequantizeLinear'), products);
      assert.equal(count('GroupQueryAttention') + count('SkipSimplifiedLayerNormalization') + count('QuickGelu'), 0);
      const packed = [...graph.constants.values()].filter(
        ({ dtype, dims }) => dtype === 'uint4' && sizeOf(dims) >= 8192,
      );
      assert.equal(packed.length, 3 * DECODER.layers);
      assert.ok(packed.every(isReference));
    }));

  it('is not spread out too early: what onnxruntime prepares holds no weight in single precision, and spreads each when it is due', () =>
    inFolder(async (folder) => {
      for (const [name, decoder] of [
        ['packed', quantisedDecoder()],
        ['packed halves', quantisedDecoder({ halves: true })],
      ] as const) {
        const graph = gradientGraph(writeModel(folder, `${name}.onnx`, decoder));
        const prepared = join(folder, `${name} prepared.onnx`);
        const session = await ort.InferenceSession.create(serialise(graph, folder), {
          optimizedModelFilePath: prepared,
          logSeverityLevel: 4,
          extra: { session: { model_external_initializers_file_folder_path: folder } },
        });
        await session.release();
        const { hidden } = DECODER;
        const { constants, nodes } = readGraph(prepared);
        for (const [constant, { dtype, dims }] of constants) {
          assert.ok(
            dtype !== 'float32' || sizeOf(dims) < width * hidden,
            `${name}: ${constant} of [${dims.join(', ')}]`,
          );
        }
        // In the order in which they run: a weight that is spread before other layers have run stands in memory all the while.
        for (const [i, { op, outputs }] of nodes.entries()) {
          if (op !== 'DequantizeLinear') continue;
          const reader = nodes.findIndex(({ inputs }) => inputs.includes(outputs[0]!));
          assert.ok(
            !nodes.slice(i, reader).some((between) => between.op === 'MatMulNBits'),
            `${name}: ${outputs[0]!} waits`,
          );
        }
      }
    }));

  it('stays fused where no gradient passes', () =>
    inFolder((folder) => {
      const graph = boundDecoder(writeModel(folder, 'decoder.onnx', quantisedDecoder()));
      lowerPath(graph, { of: [{ value: 'logits' }], wrt: ['layers.0.norm2'] });
      const fused = graph.nodes.filter((node) => node.op === 'GroupQueryAttention').map((node) => node.name);
      assert.deepEqual(fused, ['layers.0.attention']);
    }));

  it('of half precision gives the same as its weights in single, with a gradient in float32', () =>
    inFolder(async (folder) => {
      const half = gradientGraph(writeModel(folder, 'half.onnx', quantisedDecoder({ halves: true })));
      assert.ok(half.outputs.every((name) => half.type(name).dtype === 'float32'));
      const half16 = await runGraph(half, feeds);
      const single = gradientGraph(writeModel(folder, 'single.onnx', quantisedDecoder()));
      const full = await runGraph(single, feeds);
      for (const i of [0, 1]) {
        const [a, b] = [numbers(half16[half.outputs[i]!]), numbers(full[single.outputs[i]!])];
        // The weights were rounded to 11 bits.
        assert.ok(distance(a, b) < 1e-2 * Math.max(...b.map(Math.abs)), `output ${String(i)}`);
        assert.ok(distance(a, b) > 0);
      }
    }));

  it('does not round activations, whatever the file asks of the answering runtime', () =>
    inFolder(async (folder) => {
      const rounding = gradientGraph(writeModel(folder, 'a.onnx', quantisedDecoder({ accuracy: 4 })));
      const exact = gradientGraph(writeModel(folder, 'b.onnx', quantisedDecoder()));
      const [a, b] = [await runGraph(rounding, feeds), await runGraph(exact, feeds)];
      assert.ok(distance(numbers(a[rounding.outputs[0]!]), numbers(b[exact.outputs[0]!])) < 1e-5);
    }));

  it('made by the onnxruntime-genai builder: stays fused to score, and its gradient is that of the fused kernels', async () => {
    const file = join(import.meta.dirname, '../../reference/llava_q4/onnx/decoder_model_merged_q4.onnx');
    const scores = boundDecoder(file);
    addInput(scores, 'positions', 'int64', [POSITIONS.length]);
    const logits = gatherLate(scores, 'logits', 'positions');
    const fused = scores.nodes.map(({ op }) => op);
    assert.ok(
      ['GroupQueryAttention', 'SkipSimplifiedLayerNormalization', 'MatMulNBits'].every((op) => fused.includes(op)),
    );
    const [last] = scores.nodes.filter(({ outputs }) => outputs.includes(logits));
    assert.equal(last!.op, 'MatMulNBits', 'the head works at the chosen positions only');

    const graph = gradientGraph(file);
    const dims = graph.dims('inputs_embeds');
    const x = drawInput({ dims }, next);
    const weighed = drawInput({ dims: graph.dims(graph.outputs[0]!) }, next);
    const at = (values: readonly number[]) => ({ inputs_embeds: tensor(dims, values), positions: feeds.positions });
    const result = await runGraph(graph, { ...at(x), weights: tensor(graph.dims(graph.outputs[0]!), weighed) });
    const reference = numbers((await runGraph(scores, at(x)))[logits]);
    assert.ok(distance(numbers(result[graph.outputs[0]!]), reference) < 1e-4 * Math.max(...reference.map(Math.abs)));
    const gradient = numbers(result[graph.outputs[1]!]);
    const u = drawInput({ dims }, next);
    const step = 2e-3;
    const objective = async (sign: number) =>
      dot(weighed, numbers((await runGraph(scores, at(x.map((one, i) => one + sign * step * u[i]!))))[logits]));
    const slope = ((await objective(1)) - (await objective(-1))) / (2 * step);
    const size = Math.max(...gradient.map(Math.abs)) * Math.sqrt(gradient.length);
    assert.ok(
      Math.abs(dot(u, gradient) - slope) < 5e-3 * size,
      `slope ${String(slope)}, gradient ${String(dot(u, gradient))}`,
    );
  });
});
