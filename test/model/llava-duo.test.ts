import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../kernel/image/random.ts';
import type { LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel, openParts } from '../../kernel/model/open-model.ts';
import type { ModelParts } from '../../kernel/model/open-model.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import { explain } from '../../kernel/engine/tasks/explain.ts';
import { ExplainParams } from '../../kernel/engine/tasks/question-params.ts';
import { encoderContributions } from '../../kernel/metrics/encoder-contributions.ts';
import { addInput, Builder, Graph, int, serialise } from '../../kernel/onnx/index.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { checkFeatures, checkThroughMask, SIZES } from './bright-square.ts';

const LLAVA = fileURLToPath(new URL('../reference/llava', import.meta.url));
const QUESTION = 'What is in the picture?';
const ANSWER = 'a dog';

/** Feature rows and columns, and the width of the decoder of the tiny LLaVA that lends it. */
const CELLS = 4;
const WIDTH = 64;

/** Of the views, in px. */
const LOW = 40;
const HIGH = 80;

/**
 * A model of two encoders in a folder of its own: the tiny LLaVA's text parts, and encoders that look at square patches.
 * @param loudness of the two encoders' features: one of 0 is blind
 */
function writeDuo(loudness: { low: number; high: number }): string {
  const folder = temporaryFolder('duo');
  cpSync(LLAVA, folder, { recursive: true });
  for (const file of ['vision_encoder', 'vision_encoder_quantized', 'decoder_model_merged_quantized']) {
    rmSync(path.join(folder, 'onnx', `${file}.onnx`));
  }
  const random = (size: number, seed: number, scale: number) => {
    const { normal } = seededRandom(seed);
    return Float32Array.from({ length: size }, () => scale * normal());
  };
  const write = (name: string, make: (b: Builder) => string): void => {
    const graph = new Graph();
    graph.opsets.set('', 18);
    const b = new Builder(graph, name);
    graph.outputs = [b.op('Tanh', [make(b)], {}, { as: 'image_features' })];
    // As exported: of any batch.
    graph.inputs = graph.inputs.map((input) => ({ ...input, dims: ['batch', ...input.dims!.slice(1)] }));
    writeFileSync(path.join(folder, 'onnx', `${name}.onnx`), serialise(graph));
  };
  const encoder = (side: number, width: number, seed: number, scale: number) => (b: Builder) => {
    const patch = side / CELLS;
    const x = addInput(b.graph, 'pixel_values', 'float32', [1, 3, side, side]);
    const split = b.transpose(b.reshape(x, [-1, 3, CELLS, patch, CELLS, patch]), [0, 2, 4, 1, 3, 5]);
    const inputs = 3 * patch * patch;
    const weights = b.constant('float32', [inputs, width], random(inputs * width, seed, scale / Math.sqrt(inputs)));
    return b.op('MatMul', [b.reshape(split, [-1, CELLS * CELLS, inputs]), weights]);
  };
  write('vision_encoder_low', encoder(LOW, 6, 1, loudness.low));
  write('vision_encoder_high', encoder(HIGH, 3, 2, loudness.high));
  write('vision_fusion', (b) => {
    const low = addInput(b.graph, 'low', 'float32', [1, CELLS * CELLS, 6]);
    const high = addInput(b.graph, 'high', 'float32', [1, CELLS * CELLS, 3]);
    const weights = b.constant('float32', [9, WIDTH], random(9 * WIDTH, 3, 1));
    return b.op('MatMul', [b.op('Concat', [low, high], { axis: int(2) }), weights]);
  });
  const edit = (file: string, fields: object): void => {
    const at = path.join(folder, file);
    writeFileSync(at, JSON.stringify({ ...(JSON.parse(readFileSync(at, 'utf8')) as object), ...fields }));
  };
  edit('config.json', {
    model_type: 'llava_duo',
    vision_config: { image_size: LOW, patch_size: LOW / CELLS },
    vision_config_high: { image_size: HIGH, patch_size: HIGH / CELLS },
  });
  const size = { height: LOW, width: LOW };
  edit('preprocessor_config.json', {
    size,
    crop_size: size,
    do_center_crop: false,
    size_high: { height: HIGH, width: HIGH },
  });
  return folder;
}

describe('llava_duo: two encoders, fused', function () {
  this.timeout(120_000);
  const cache = temporaryFolder('duo-cache');
  const cacheBefore = process.env.LVLM_LENS_CACHE;
  let folder: string;
  let parts: ModelParts;
  let model: LoadedModel;

  before(async () => {
    mkdirSync(cache, { recursive: true });
    process.env.LVLM_LENS_CACHE = cache;
    folder = writeDuo({ low: 1, high: 1 });
    parts = await openParts(folder);
    model = await openModel(folder);
  });
  after(async () => {
    if (cacheBefore === undefined) delete process.env.LVLM_LENS_CACHE;
    else process.env.LVLM_LENS_CACHE = cacheBefore;
    await model?.release();
    await Promise.all(Object.values(parts?.sessions ?? {}).map((session) => session.release()));
    parts?.vision.release();
  });

  it('sees the picture at two sizes, and has one feature row for each place', () => {
    const { stacks, rows, placeholder } = parts.plan({ width: 30, height: 20 });
    assert.deepEqual(
      stacks.map(({ name, graph, height, views }) => [name, graph, height, views.length]),
      [
        ['low', 'vision_encoder_low', LOW, 1],
        ['high', 'vision_encoder_high', HIGH, 1],
      ],
    );
    assert.equal(rows, 16);
    assert.equal(placeholder.match(/<image>/g)!.length, 16);
    assert.deepEqual(
      model.info.views.map(({ name, width }) => [name, width]),
      [
        ['low', LOW],
        ['high', HIGH],
      ],
    );
  });

  for (const [label, size] of Object.entries(SIZES)) {
    it(`${label}: a bright square’s effect is found where it is, through the mask`, async () => {
      await checkThroughMask(model, size, QUESTION, ANSWER);
      for (const encoder of ['low', 'high']) {
        await checkThroughMask(model, size, QUESTION, ANSWER, { encoders: [encoder] });
      }
    });

    it(`${label}: a bright square changes the features where it is`, () => checkFeatures(parts, size));
  }

  it('a mask through one encoder leaves the other’s view as it is', async () => {
    const picture = await decodeImage(fileURLToPath(new URL('../evidence/000.png', import.meta.url)));
    const scorer = await model.scorer(picture, QUESTION, ANSWER);
    const mask = { rows: 4, cols: 4, data: new Float32Array(16) };
    const sum = async (encoders?: readonly string[]) => {
      const [logp] = await scorer.logp([{ mask, baseline: 'black', ...(encoders && { encoders }) }]);
      return logp!.reduce((total, value) => total + value, 0);
    };
    const whole = { ...mask, data: new Float32Array(16).fill(1) };
    const [seen] = await scorer.logp([{ mask: whole, baseline: 'black' }]);
    assert.ok(Math.abs((await sum([])) - seen!.reduce((total, value) => total + value, 0)) < 1e-5);
    assert.ok(Math.abs((await sum(['low', 'high'])) - (await sum())) < 1e-5);
    assert.notEqual(await sum(['low']), await sum(['high']));
  });

  it('says what each encoder contributed: nothing, of a blind one', async () => {
    const blind = await openModel(writeDuo({ low: 1, high: 0 }));
    try {
      const params = ExplainParams.parse({
        image: fileURLToPath(new URL('../evidence/000.png', import.meta.url)),
        ...{ question: QUESTION, answer: ANSWER, tokens: 'all', baseline: 'black', encoders: 'maps' },
        ...{ method: { name: 'input-x-gradient' }, metrics: false, perToken: false },
      });
      const models = { open: () => Promise.resolve(blind) };
      const context = { params, models, signal: new AbortController().signal, onProgress: () => undefined };
      const { encoders } = (await explain.run(context)).explanation;
      const [low, high] = encoders!;
      assert.deepEqual([low!.name, low!.width, high!.name, high!.width], ['low', LOW, 'high', HIGH]);
      assert.ok(Math.abs(low!.contribution) > 1e-4 && Math.abs(low!.contribution - low!.drop) < 1e-5);
      for (const fall of [high!.contribution, high!.drop, high!.dropTop])
        assert.ok(Math.abs(fall) < 1e-5, String(fall));
      assert.deepEqual([low!.map!.rows, low!.map!.label, high!.map!.scale], [low!.map!.cols, 'low', 0]);
      const without = await explain.run({ ...context, params: { ...params, encoders: false } });
      assert.ok(!('encoders' in without.explanation));
      const camera = { ...params, method: { name: 'grad-cam' } };
      await assert.rejects(explain.run({ ...context, params: camera }), /grad-cam cannot make a map of one encoder/);
    } finally {
      await blind.release();
    }
  });

  it('says which field is missing', async () => {
    const broken = writeDuo({ low: 1, high: 1 });
    writeFileSync(path.join(broken, 'preprocessor_config.json'), '{"size": {"height": 8, "width": 8}}');
    await assert.rejects(openModel(broken), /size of the second encoder.*size_high/);
  });
});

describe('what encoders contribute', () => {
  const map = { rows: 2, cols: 4, data: Float32Array.from([0, 0, 0, 0, 0, 9, 0, 0]) };

  /** log p of two tokens by which encoders are masked, and by how much of the image; the second token does not count. */
  const scorer = (value: (masked: readonly string[], kept: number) => number) => ({
    logp: (requests: readonly { mask: { data: Float32Array }; encoders?: readonly string[] }[]) =>
      Promise.resolve(
        requests.map(({ mask, encoders }) =>
          Float32Array.of(value(encoders!, mask.data.reduce((a, b) => a + b) / 8), -100),
        ),
      ),
  });
  const ask = (value: (masked: readonly string[], kept: number) => number, names: readonly string[]) =>
    encoderContributions(scorer(value), names, map, [0], { baseline: 'blur', share: 0.125 });

  it('is shared by Shapley’s rule', async () => {
    // Sure with both (0), −1 without a, −3 without b, −8 without both: a gives (1 + 5)/2, b (3 + 7)/2.
    const worth = (masked: readonly string[]) => ({ '': 0, a: -1, b: -3, 'a b': -8 })[masked.join(' ')]!;
    const [a, b] = await ask((masked, kept) => worth(masked) * (1 - kept), ['a', 'b']);
    assert.deepEqual([a!.contribution, a!.drop], [3, 1]);
    assert.deepEqual([b!.contribution, b!.drop], [5, 3]);
    // Of eight cells one is removed.
    assert.deepEqual([a!.dropTop, b!.dropTop], [1 / 8, 3 / 8]);
  });

  it('is each one’s own where they do not need each other, of any number', async () => {
    const own: Readonly<Record<string, number>> = { a: 1, b: 2, c: 4, d: -1 };
    const worth = (masked: readonly string[]) => -masked.reduce((sum, name) => sum + own[name]!, 0);
    for (const { encoder, contribution, drop } of await ask(worth, Object.keys(own))) {
      assert.ok(Math.abs(contribution - own[encoder]!) < 1e-6 && Math.abs(drop - own[encoder]!) < 1e-6);
    }
  });
});
