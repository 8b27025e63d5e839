import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel, openParts } from '../../kernel/model/open-model.ts';
import type { ModelParts } from '../../kernel/model/open-model.ts';
import { OnnxScorer } from '../../kernel/model/scorer.ts';
import { float32, floats, Session } from '../../kernel/model/session.ts';
import { arranged, pixelDims } from '../../kernel/model/vision-graph.ts';
import type { ViewStack } from '../../kernel/model/vision-plan.ts';
import { addInput, Builder, Graph, serialise } from '../../kernel/onnx/index.ts';
import { checkFeatures, checkThroughMask, SIZES } from './bright-square.ts';
import { relativeError } from './relative-error.ts';

/** Every stride-th value of a tensor: base64 of little-endian float32. */
interface Sampled {
  dims: number[];
  stride: number;
  norm: number;
  values: string;
}

interface Case {
  picture: string;
  question: string;
  /** Of the whole prompt, the picture's tokens included. */
  input_ids: number[];
  /** Greedy; an end token is the last where there is one. */
  answer_ids: number[];
  inputs: Record<string, Sampled | { dims: number[]; values: number[] | null }>;
  /** [answer, vocabulary] */
  logits: { dims: [number, number]; values: string };
  log_p: number[];
  /** Of Σ log p with respect to the pixels. */
  gradient: Sampled;
  /** [axes][1][prompt] */
  position_ids?: number[][][];
}

const FOLDER = fileURLToPath(new URL('../reference/', import.meta.url));
/** Made by training/reference: tiny checkpoints of the families' real structure, and what transformers computes with them. */
const FAMILIES = readdirSync(FOLDER).filter((name) => existsSync(path.join(FOLDER, name, 'reference.json')));

const LOGIT_TOLERANCE = 1e-3;
/** Of answers: graphs in 16 bits run as they are and round activations too; scores and gradients are computed in 32. */
const HALF_TOLERANCE = 0.05;
const GRADIENT_TOLERANCE = 1e-3;
/** Of the processor's range. */
const PIXEL_TOLERANCE = 2 / 255;

function unpacked(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

function everyNth(values: Float32Array, stride: number): Float32Array {
  return values.filter((_, i) => i % stride === 0);
}

function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  assert.ok(expected.length > 0);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    // Not a number is no small difference.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/** A stack's pixels as its encoder takes them. */
async function encoderInput(
  stack: ViewStack,
  pixels: Float32Array,
): Promise<{ dims: readonly number[]; data: Float32Array }> {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph);
  const dims = pixelDims(stack, 1);
  const output = b.op('Identity', [arranged(b, addInput(graph, 'pixels', 'float32', dims), stack.layout)]);
  graph.outputs = [output];
  const session = await Session.open(serialise(graph));
  const results = await session.run({ pixels: float32(pixels, dims) });
  await session.release();
  return { dims: results[output]!.dims, data: floats(results, output) };
}

/** The last row of the logits of every run, of whatever session gives any, while `work` runs. */
async function loggedLogits<T>(work: () => Promise<T>): Promise<{ result: T; rows: Float32Array[] }> {
  const rows: Float32Array[] = [];
  const { run } = Session.prototype;
  Session.prototype.run = async function (feeds, fetches) {
    const results = await run.call(this, feeds, fetches);
    const { logits } = results;
    if (logits !== undefined) rows.push(floats(results, 'logits').slice(-logits.dims.at(-1)!));
    return results;
  };
  try {
    return { result: await work(), rows };
  } finally {
    Session.prototype.run = run;
  }
}

describe('families against transformers', () => {
  let cache: string;
  const cacheBefore = process.env.LVLM_LENS_CACHE;

  before(async () => {
    cache = await mkdtemp(path.join(os.tmpdir(), 'lens-families-'));
    process.env.LVLM_LENS_CACHE = cache;
  });
  after(async () => {
    if (cacheBefore === undefined) delete process.env.LVLM_LENS_CACHE;
    else process.env.LVLM_LENS_CACHE = cacheBefore;
    await rm(cache, { recursive: true });
  });

  it('each family has its reference', () => {
    for (const name of ['qwen2_vl', 'qwen2_5_vl', 'paligemma', 'gemma3']) assert.ok(FAMILIES.includes(name), name);
  });

  for (const name of FAMILIES) {
    describe(name, function () {
      this.timeout(120_000);
      const folder = path.join(FOLDER, name);
      const { cases } = JSON.parse(readFileSync(path.join(folder, 'reference.json'), 'utf8')) as { cases: Case[] };
      let parts: ModelParts;
      let model: LoadedModel;
      let ends: ReadonlySet<number>;

      before(async () => {
        parts = await openParts(folder);
        model = await openModel(folder);
        ends = new Set([parts.files.generation.eos_token_id ?? []].flat());
      });
      after(async () => {
        await model?.release();
        await Promise.all(Object.values(parts?.sessions ?? {}).map((session) => session.release()));
        parts?.vision.release();
      });

      const picture = ({ picture: file }: Case) => decodeImage(path.join(FOLDER, 'pictures', file));

      for (const known of cases) {
        const label = path.basename(known.picture, '.png');

        it(`${label}: the same token ids and positions`, async () => {
          const plan = parts.plan(await picture(known));
          const prompt = parts.prompter.prompt(known.question, plan);
          assert.deepEqual(prompt.ids, known.input_ids);
          if (known.position_ids !== undefined) {
            const { axes } = parts.family.positions!(prompt, plan, parts.files.config);
            assert.deepEqual(
              axes,
              known.position_ids.map(([axis]) => axis),
            );
          }
        });

        it(`${label}: the same pixels`, async () => {
          const shown = await picture(known);
          const plan = parts.plan(shown);
          const { dims, stride, values } = known.inputs.pixel_values as Sampled;
          const inputs = await Promise.all(plan.stacks.map((stack) => encoderInput(stack, stack.render(shown))));
          const size = inputs.reduce((sum, input) => sum + product(input.dims), 0);
          assert.equal(
            size,
            product(dims),
            `${inputs.map((input) => input.dims.join('×')).join(' + ')} is not ${dims.join('×')}`,
          );
          const whole = new Float32Array(size);
          let at = 0;
          for (const { data } of inputs) {
            whole.set(data, at);
            at += data.length;
          }
          const { image_std: std, do_normalize: scaled } = parts.files.preprocessor;
          const range = scaled ? 1 / Math.max(...std) : 1;
          const difference = largestDifference(everyNth(whole, stride), unpacked(values));
          assert.ok(difference <= PIXEL_TOLERANCE * range, `off by ${difference.toExponential(2)}`);
        });

        it(`${label}: the same fixed inputs of the encoder`, async () => {
          const plan = parts.plan(await picture(known));
          for (const [input, recorded] of Object.entries(known.inputs)) {
            const tensor = plan.stacks.flatMap(({ constants = {} }) =>
              constants[input] === undefined ? [] : [constants[input]],
            );
            if (tensor.length === 0 || !Array.isArray(recorded.values)) continue;
            const values = tensor.flatMap(({ values, dims }) =>
              typeof values === 'number' ? new Array<number>(product(dims)).fill(values) : [...values],
            );
            assert.deepEqual(values, recorded.values, input);
          }
        });

        it(`${label}: the same greedy answer and logits`, async () => {
          const shown = await picture(known);
          const maxNewTokens = known.answer_ids.length;
          const { result, rows } = await loggedLogits(() => model.answer(shown, known.question, { maxNewTokens }));
          assert.deepEqual(
            result.tokens.map(({ id }) => id),
            known.answer_ids.filter((id) => !ends.has(id)),
          );
          const [count, vocabulary] = known.logits.dims;
          const reference = unpacked(known.logits.values);
          assert.equal(rows.length, count);
          const half = Object.values(parts.files.dtypes).includes('fp16');
          const tolerance = half ? HALF_TOLERANCE : LOGIT_TOLERANCE;
          rows.forEach((row, t) => {
            const difference = largestDifference(row, reference.subarray(t * vocabulary, (t + 1) * vocabulary));
            assert.ok(difference <= tolerance, `token ${t}: off by ${difference.toExponential(2)}`);
          });
        });

        it(`${label}: the same log p and gradient`, async () => {
          const scorer = await model.scorer(await picture(known), known.question, known.answer_ids);
          assert.ok(scorer instanceof OnnxScorer);
          const ones = new Float32Array(known.answer_ids.length).fill(1);
          const { logp, gradients } = await scorer.pixelGradient(ones);
          const difference = largestDifference(logp, known.log_p);
          assert.ok(difference <= LOGIT_TOLERANCE, `log p is off by ${difference.toExponential(2)}`);
          const whole = new Float32Array(gradients.reduce((sum, { length }) => sum + length, 0));
          let at = 0;
          for (const gradient of gradients) {
            whole.set(gradient, at);
            at += gradient.length;
          }
          assert.equal(whole.length, product(known.gradient.dims));
          const error = relativeError(everyNth(whole, known.gradient.stride), unpacked(known.gradient.values));
          assert.ok(error <= GRADIENT_TOLERANCE, `the gradient’s relative error is ${error.toExponential(2)}`);
          const norm = Math.sqrt(whole.reduce((sum, value) => sum + value * value, 0));
          assert.ok(Math.abs(norm / known.gradient.norm - 1) <= GRADIENT_TOLERANCE, `its norm is ${norm}`);
        });
      }

      for (const [label, size] of Object.entries(SIZES)) {
        it(`${label}: a bright square’s effect is found where it is, through the mask`, () => {
          const [{ question, answer_ids: ids }] = cases as [Case, ...Case[]];
          return checkThroughMask(model, size, question, ids);
        });

        it(`${label}: a bright square changes the features where it is`, () => checkFeatures(parts, size));
      }
    });
  }
});
