import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { Picture } from '../../kernel/image/picture.ts';
import { ChatTemplate } from '../../kernel/model/chat-template.ts';
import { embeddedFolder } from '../../kernel/model/embedded.ts';
import { familyOf } from '../../kernel/model/families.ts';
import { readModelFiles } from '../../kernel/model/files.ts';
import type { ModelFiles } from '../../kernel/model/files.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { ScoreSessions } from '../../kernel/model/score-sessions.ts';
import type { ScoreShape } from '../../kernel/model/score-graph.ts';
import { float32, floats, int64, Session } from '../../kernel/model/session.ts';
import type { Tensors } from '../../kernel/model/session.ts';
import { TextTokenizer } from '../../kernel/model/tokenizer.ts';
import { counted } from '../../kernel/model/sequence.ts';
import { clipView, maskMatrices } from '../../kernel/model/views.ts';
import type { ViewGeometry } from '../../kernel/model/views.ts';
import type { VisionPlan } from '../../kernel/model/vision-plan.ts';
import { skipBecause } from '../skip.ts';
import { relativeError } from './relative-error.ts';

/** Written by training/reference/pocket.py: PyTorch in float64, from the weights of the exported graphs. Arrays are base64 of float32. */
interface Reference {
  /** Of the graphs that the numbers were computed from. */
  sha256: Record<string, string>;
  /** Of every pixel, in normalised units. */
  baseline: number;
  random_mask: string;
  cases: ReferenceCase[];
}

interface ReferenceCase {
  file: string;
  question: string;
  answer: string;
  prompt_ids: number[];
  /** The end token included. */
  answer_ids: number[];
  /** Some values of the preprocessed picture: [index, value]. */
  pixel_values: [number, number][];
  log_p: number[];
  weights: number[];
  gradient_norm: number;
  gradient_stride: number;
  gradient: string;
  masks: { mask: 'ones' | 'random'; log_p: number[]; gradient: string }[];
}

const FILE = process.env.LVLM_LENS_REFERENCE ?? fileURLToPath(new URL('../reference/pocket.json', import.meta.url));
const TOLERANCE = 1e-4;
const LOGP_TOLERANCE = 1e-5;
const SIDE = 32;

function unpacked(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** log p, in absolute terms: of a sure answer it is nearly 0, and what is left of it is rounding. */
function closeLogp(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length);
  for (let t = 0; t < expected.length; t++) {
    const error = Math.abs(actual[t]! - expected[t]!);
    assert.ok(
      error <= LOGP_TOLERANCE * Math.max(1, Math.abs(expected[t]!)),
      `${what}, token ${t}: off by ${error.toExponential(2)}`,
    );
  }
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const error = relativeError(actual, expected);
  assert.ok(error <= TOLERANCE, `${what}: relative error ${error.toExponential(2)}`);
}

describe('against PyTorch', function () {
  this.timeout(120_000);
  let reference: Reference;
  let files: ModelFiles;
  let view: ViewGeometry;
  let plan: (picture: { width: number; height: number }) => VisionPlan;
  let embed: Session;
  let sessions: ScoreSessions;

  before(async function () {
    if (!existsSync(FILE)) skipBecause(this, 'gradients against PyTorch', `${path.basename(FILE)} is missing`);
    reference = JSON.parse(readFileSync(FILE, 'utf8')) as Reference;
    files = await readModelFiles(embeddedFolder('pocket')!);
    view = clipView(files.config, files.preprocessor);
    plan = familyOf(files.config).vision({
      files,
      imageToken: '<image>',
      tokenOf: () => undefined,
      inputs: () => new Map(),
      constant: () => undefined,
    });
    embed = await Session.open(files.graphs.embed_tokens!);
    sessions = new ScoreSessions(files.graphs);
  });

  after(async () => {
    await embed?.release();
    sessions?.release();
  });

  it('the reference was computed from these weights', () => {
    for (const [name, expected] of Object.entries(reference.sha256)) {
      const actual = createHash('sha256')
        .update(readFileSync(path.join(files.folder, 'onnx', name)))
        .digest('hex');
      assert.equal(actual, expected, `${name}: run python3 -m training.reference pocket again`);
    }
  });

  const picture = (scene: ReferenceCase): Promise<Picture> =>
    decodeImage(fileURLToPath(new URL(`../evidence/${scene.file}`, import.meta.url)));

  const embeddings = async (ids: readonly number[]): Promise<[Float32Array, number]> => {
    const results = await embed.run({ input_ids: int64(ids, [1, ids.length]) });
    const rows = floats(results, 'inputs_embeds');
    return [rows, rows.length / ids.length];
  };

  /** Feeds and shape of a scene without its picture; nothing is padded. */
  async function scored(
    scene: ReferenceCase,
    from: ScoreShape['from'],
  ): Promise<[ScoreShape, Record<string, Tensors[string]>]> {
    const image = familyOf(files.config).imageToken(files.config)!;
    const start = scene.prompt_ids.indexOf(image);
    const end = scene.prompt_ids.lastIndexOf(image) + 1;
    const [before, width] = await embeddings(scene.prompt_ids.slice(0, start));
    const [after] = await embeddings([...scene.prompt_ids.slice(end), ...scene.answer_ids.slice(0, -1)]);
    const answer = scene.answer_ids.length;
    const shape: ScoreShape = {
      from,
      gradient: true,
      batch: 1,
      maskRows: SIDE,
      maskCols: SIDE,
      plan: plan(await picture(scene)),
      runs: [
        { kind: 'text', length: before.length / width },
        { kind: 'image', length: end - start },
        { kind: 'text', length: after.length / width },
      ],
      width,
      answer,
      positions: counted(scene.prompt_ids.length + answer - 1).axes,
      tokenInputs: {},
    };
    const first = scene.prompt_ids.length - 1;
    return [
      shape,
      {
        'text/0': float32(before, [1, before.length / width, width]),
        'text/1': float32(after, [1, after.length / width, width]),
        positions: int64(
          scene.answer_ids.map((_, t) => first + t),
          [answer],
        ),
        ids: int64(scene.answer_ids, [answer]),
        weights: float32(Float32Array.from(scene.weights), [1, answer]),
        odds: float32(new Float32Array(1), [1, 1]),
      },
    ];
  }

  const eachScene = async (check: (scene: ReferenceCase) => Promise<void>) => {
    assert.ok(reference.cases.length > 0);
    for (const scene of reference.cases) await check(scene);
  };

  it('prompts and answers have the same token ids', () =>
    eachScene(async (scene) => {
      const tokenizer = new TextTokenizer(files);
      const template = new ChatTemplate(files.chatTemplate, files.tokenizerConfig, '<image>');
      const image = familyOf(files.config).imageToken(files.config)!;
      const once = scene.prompt_ids.filter((id, i) => id !== image || scene.prompt_ids[i - 1] !== image);
      assert.deepEqual(tokenizer.encode(template.prompt(scene.question)), once);
      const model = await openModel('pocket');
      const { tokens } = model.tokens(scene.answer);
      assert.deepEqual([...tokens.map(({ id }) => id), 2], scene.answer_ids);
      await model.release();
    }));

  it('preprocessed pixels are equal', () =>
    eachScene(async (scene) => {
      const pixels = view.render(await picture(scene));
      for (const [index, value] of scene.pixel_values) {
        assert.ok(
          Math.abs(pixels[index]! - value) < 1e-6,
          `${scene.file} at ${index}: ${pixels[index]} is not ${value}`,
        );
      }
    }));

  it('log p and the gradient with respect to pixels', () =>
    eachScene(async (scene) => {
      const [shape, feeds] = await scored(scene, 'pixels');
      feeds[`pixels/${view.name}`] = float32(view.render(await picture(scene)), [1, 1, 3, view.height, view.width]);
      const results = await sessions.run(shape, feeds);
      closeLogp(floats(results, 'logp'), scene.log_p, `${scene.file}: log p`);
      const gradient = floats(results, `gradient/${view.name}`);
      const kept = gradient.filter((_, i) => i % scene.gradient_stride === 0);
      close(kept, unpacked(scene.gradient), `${scene.file}: gradient`);
      assert.ok(Math.abs(Math.hypot(...gradient) / scene.gradient_norm - 1) < TOLERANCE);
    }));

  it('log p and the gradient with respect to the mask', () =>
    eachScene(async (scene) => {
      const shown = await picture(scene);
      const { height, width, name } = view;
      const up = maskMatrices(view, view.window(shown), { rows: SIDE, cols: SIDE });
      const size = 3 * height * width;
      for (const { mask, log_p, gradient } of scene.masks) {
        const [shape, feeds] = await scored(scene, 'mask');
        const values = mask === 'ones' ? new Float32Array(SIDE * SIDE).fill(1) : unpacked(reference.random_mask);
        const results = await sessions.run(shape, {
          ...feeds,
          mask: float32(values, [1, SIDE, SIDE]),
          [`image/${name}`]: float32(view.render(shown), [1, 1, 3, height, width]),
          [`baseline/${name}`]: float32(new Float32Array(size).fill(reference.baseline), [1, 1, 3, height, width]),
          [`noise/${name}`]: float32(new Float32Array(size), [1, 1, 3, height, width]),
          [`up-rows/${name}`]: float32(up.rows, [height, SIDE]),
          [`up-cols/${name}`]: float32(up.cols, [SIDE, width]),
        });
        closeLogp(floats(results, 'logp'), log_p, `${scene.file}, ${mask}: log p`);
        close(floats(results, 'gradient'), unpacked(gradient), `${scene.file}, ${mask}: gradient`);
      }
    }));
});
