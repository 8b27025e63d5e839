import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { Picture } from '../../kernel/image/picture.ts';
import { embeddedModels } from '../../kernel/model/embedded.ts';
import type { LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel, openParts } from '../../kernel/model/open-model.ts';
import type { ModelParts } from '../../kernel/model/open-model.ts';
import { ScoreSessions } from '../../kernel/model/score-sessions.ts';
import type { ScoreShape } from '../../kernel/model/score-graph.ts';
import { float32, floats, int64 } from '../../kernel/model/session.ts';
import type { Tensors } from '../../kernel/model/session.ts';
import { counted } from '../../kernel/model/sequence.ts';
import { maskMatrices } from '../../kernel/model/views.ts';
import { pixelDims } from '../../kernel/model/vision-graph.ts';
import { joinedPlanes } from '../../kernel/model/vision-plan.ts';
import type { VisionPlan } from '../../kernel/model/vision-plan.ts';
import { skipBecause } from '../skip.ts';
import { relativeError } from './relative-error.ts';

/** Written by training/reference/pocket.py: PyTorch in float64, from the weights of the exported graphs. Arrays are base64 of float32. */
interface Reference {
  /** Of the graphs that the numbers were computed from. */
  sha256: Record<string, string>;
  /** Folder of the pictures, in test/. */
  evidence: string;
  /** Of every pixel, in normalised units. */
  baseline: number;
  random_mask: string;
  cases: ReferenceCase[];
  /** Greedy, the end token included. */
  answers: { file: string; question: string; answer_ids: number[] }[];
}

interface ReferenceCase {
  file: string;
  question: string;
  answer: string;
  prompt_ids: number[];
  /** The end token included. */
  answer_ids: number[];
  /** Some values of all views of the preprocessed picture, one view after the other: [index, value]. */
  pixel_values: [number, number][];
  log_p: number[];
  weights: number[];
  gradient_norm: number;
  gradient_stride: number;
  gradient: string;
  masks: { mask: 'ones' | 'random'; log_p: number[]; gradient: string }[];
}

const FOLDER = fileURLToPath(new URL('../reference/', import.meta.url));
const END = 2;
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

for (const name of embeddedModels()) {
  describe(`${name} against PyTorch`, function () {
    this.timeout(120_000);
    const file = path.join(FOLDER, `${name}.json`);
    let reference: Reference;
    let model: LoadedModel;
    let parts: ModelParts;
    let sessions: ScoreSessions;

    before(async function () {
      if (!existsSync(file)) skipBecause(this, `${name} against PyTorch`, `${path.basename(file)} is missing`);
      reference = JSON.parse(readFileSync(file, 'utf8')) as Reference;
      model = await openModel(name);
      parts = await openParts(name);
      sessions = new ScoreSessions(parts.files.graphs);
    });

    after(async () => {
      await model?.release();
      await Promise.all(Object.values(parts?.sessions ?? {}).map((session) => session.release()));
      parts?.vision.release();
      sessions?.release();
    });

    const picture = (scene: { file: string }): Promise<Picture> =>
      decodeImage(fileURLToPath(new URL(`../${reference.evidence}/${scene.file}`, import.meta.url)));

    const eachScene = async (check: (scene: ReferenceCase, shown: Picture, plan: VisionPlan) => Promise<void>) => {
      assert.ok(reference.cases.length > 0);
      for (const scene of reference.cases) {
        const shown = await picture(scene);
        await check(scene, shown, parts.plan(shown));
      }
    };

    /** Feeds and shape of a scene without its picture; nothing is padded. */
    async function scored(
      scene: ReferenceCase,
      plan: VisionPlan,
      from: ScoreShape['from'],
    ): Promise<[ScoreShape, Record<string, Tensors[string]>]> {
      const image = parts.family.imageToken(parts.files.config)!;
      const start = scene.prompt_ids.indexOf(image);
      const end = scene.prompt_ids.lastIndexOf(image) + 1;
      const before = await parts.embed(scene.prompt_ids.slice(0, start));
      const after = await parts.embed([...scene.prompt_ids.slice(end), ...scene.answer_ids.slice(0, -1)]);
      const width = before.length / start;
      const answer = scene.answer_ids.length;
      const shape: ScoreShape = {
        from,
        gradient: true,
        batch: 1,
        maskRows: SIDE,
        maskCols: SIDE,
        plan,
        runs: [
          { kind: 'text', length: start },
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
          'text/0': float32(before, [1, start, width]),
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

    it('the reference was computed from these weights', () => {
      for (const [graph, expected] of Object.entries(reference.sha256)) {
        const actual = createHash('sha256')
          .update(readFileSync(path.join(parts.files.folder, 'onnx', graph)))
          .digest('hex');
        assert.equal(actual, expected, `${graph}: run python3 -m training.reference pocket again`);
      }
    });

    it('prompts and answers have the same token ids', () =>
      eachScene(async (scene, _, plan) => {
        assert.deepEqual(parts.prompter.prompt(scene.question, plan).ids, scene.prompt_ids);
        assert.deepEqual([...model.tokens(scene.answer).tokens.map(({ id }) => id), END], scene.answer_ids);
      }));

    it('preprocessed pixels are equal', () =>
      eachScene(async (scene, shown, plan) => {
        const pixels = joinedPlanes(plan.stacks.map((stack) => stack.render(shown)));
        for (const [index, value] of scene.pixel_values) {
          assert.ok(
            Math.abs(pixels[index]! - value) < 1e-6,
            `${scene.file} at ${index}: ${pixels[index]} is not ${value}`,
          );
        }
      }));

    it('greedy answers are the same', async () => {
      assert.ok(reference.answers.length > 0);
      for (const scene of reference.answers) {
        const { tokens } = await model.answer(await picture(scene), scene.question);
        assert.deepEqual([...tokens.map(({ id }) => id), END], scene.answer_ids, `${scene.file}: ${scene.question}`);
      }
    });

    it('log p and the gradient with respect to pixels', () =>
      eachScene(async (scene, shown, plan) => {
        const [shape, feeds] = await scored(scene, plan, 'pixels');
        for (const stack of plan.stacks) {
          feeds[`pixels/${stack.name}`] = float32(stack.render(shown), pixelDims(stack, 1));
        }
        const results = await sessions.run(shape, feeds);
        closeLogp(floats(results, 'logp'), scene.log_p, `${scene.file}: log p`);
        const gradient = joinedPlanes(plan.stacks.map((stack) => floats(results, `gradient/${stack.name}`)));
        const kept = gradient.filter((_, i) => i % scene.gradient_stride === 0);
        close(kept, unpacked(scene.gradient), `${scene.file}: gradient`);
        const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
        assert.ok(Math.abs(norm / scene.gradient_norm - 1) < TOLERANCE);
      }));

    it('log p and the gradient with respect to the mask, through all views', () =>
      eachScene(async (scene, shown, plan) => {
        for (const { mask, log_p, gradient } of scene.masks) {
          const [shape, feeds] = await scored(scene, plan, 'mask');
          const values = mask === 'ones' ? new Float32Array(SIDE * SIDE).fill(1) : unpacked(reference.random_mask);
          feeds.mask = float32(values, [1, SIDE, SIDE]);
          for (const stack of plan.stacks) {
            const { name: stem, views, height, width } = stack;
            const image = stack.render(shown);
            const ups = views.map(({ window }) => maskMatrices(stack, window, { rows: SIDE, cols: SIDE }));
            const several = ups.length === 1 ? [] : [ups.length];
            feeds[`image/${stem}`] = float32(image, pixelDims(stack, 1));
            feeds[`baseline/${stem}`] = float32(
              image.map(() => reference.baseline),
              pixelDims(stack, 1),
            );
            feeds[`noise/${stem}`] = float32(
              image.map(() => 0),
              pixelDims(stack, 1),
            );
            feeds[`up-rows/${stem}`] = float32(joinedPlanes(ups.map(({ rows }) => rows)), [...several, height, SIDE]);
            feeds[`up-cols/${stem}`] = float32(joinedPlanes(ups.map(({ cols }) => cols)), [...several, SIDE, width]);
          }
          const results = await sessions.run(shape, feeds);
          closeLogp(floats(results, 'logp'), log_p, `${scene.file}, ${mask}: log p`);
          close(floats(results, 'gradient'), unpacked(gradient), `${scene.file}, ${mask}: gradient`);
        }
      }));
  });
}
