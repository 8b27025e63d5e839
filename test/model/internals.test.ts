import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chosenMethod, METHODS } from '../../kernel/attribution/methods.ts';
import type { FeatureGradient } from '../../kernel/attribution/scorer.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { Picture } from '../../kernel/image/picture.ts';
import { buildAttentionGraph } from '../../kernel/model/attention-graph.ts';
import type { AnswerScorer, LoadedModel } from '../../kernel/model/loaded-model.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { buildScoreGraph } from '../../kernel/model/score-graph.ts';
import type { ScoreShape } from '../../kernel/model/score-graph.ts';
import { ScoreSessions } from '../../kernel/model/score-sessions.ts';
import { float32, floats, Session } from '../../kernel/model/session.ts';
import type { Tensors } from '../../kernel/model/session.ts';
import { addInput, Builder, findAttention, lowerAttention, readGraph, serialise } from '../../kernel/onnx/index.ts';

const FOLDER = fileURLToPath(new URL('../reference/', import.meta.url));
const FAMILIES = readdirSync(FOLDER).filter((name) => existsSync(path.join(FOLDER, name, 'reference.json')));
const QUESTION = 'What is this?';

/** Layers as the exported encoder uses them and as the decoder has them: config.json. */
const LAYERS: Readonly<Record<string, readonly [vision: number, decoder: number]>> = {
  gemma3: [2, 3],
  llava: [2, 2],
  llava_fp16: [2, 2],
  llava_onevision: [2, 2],
  llava_q4: [2, 2],
  paligemma: [2, 2],
  pocket: [3, 4],
  qwen2_5_vl: [3, 2],
  qwen2_vl: [2, 2],
  smolvlm: [2, 2],
};
/** Prompts whose tokens see each other in both directions. */
const BOTH_WAYS: readonly string[] = ['paligemma', 'gemma3'];

/** Weights so large that the first block already spreads a change over all tokens. */
const MIXED: Readonly<Record<string, number>> = { llava_q4: 1 };

/** In px of the picture of 300 × 200. */
const SQUARE = { x: 150, y: 40, side: 64 };

/** Grey noise, or that with one bright square. */
function noisyPicture(bright?: typeof SQUARE): Promise<Picture> {
  const [width, height] = [300, 200];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const inside = bright && x >= bright.x && x < bright.x + bright.side && y >= bright.y && y < bright.y + bright.side;
    return inside ? 250 : 90 + ((i * 37 + ((i * i) % 91)) % 40);
  });
  return decodeImage({ data, width, height });
}

/** The graphs that a work runs. */
async function graphsOf(work: () => Promise<unknown>): Promise<{ shape: ScoreShape; feeds: Tensors }[]> {
  const runs: { shape: ScoreShape; feeds: Tensors }[] = [];
  const original = ScoreSessions.prototype.run;
  ScoreSessions.prototype.run = function (shape, feeds) {
    runs.push({ shape, feeds });
    return original.call(this, shape, feeds);
  };
  try {
    await work();
  } finally {
    ScoreSessions.prototype.run = original;
  }
  return runs;
}

const rowSums = (data: Float32Array, size: number): number[] =>
  Array.from({ length: size }, (_, i) =>
    data.subarray(i * size, (i + 1) * size).reduce((sum, value) => sum + value, 0),
  );

const ones = ({ tokenCount }: AnswerScorer) => new Float32Array(tokenCount).fill(1);

describe('the inside of a model', function () {
  this.timeout(120_000);
  let picture: Picture;
  before(async () => {
    picture = await noisyPicture();
  });

  async function withScorer(
    name: string,
    work: (scorer: AnswerScorer, model: LoadedModel) => Promise<void>,
    answer?: readonly number[],
  ): Promise<void> {
    const model = await openModel(name === 'pocket' ? name : path.join(FOLDER, name));
    try {
      const ids = answer ?? (await model.answer(picture, QUESTION, { maxNewTokens: 4 })).tokens.map(({ id }) => id);
      await work(await model.scorer(picture, QUESTION, ids), model);
    } finally {
      await model.release();
    }
  }

  for (const name of ['pocket', ...FAMILIES]) {
    describe(name, () => {
      it('attention: every layer’s probabilities, and nothing of what comes later', () =>
        withScorer(name, async (scorer) => {
          const { decoder, views, predictions, image, grids } = await scorer.internals.attention();
          assert.equal(decoder.length, LAYERS[name]![1]);
          for (const { size, data } of decoder) {
            for (const sum of rowSums(data, size)) assert.ok(Math.abs(sum - 1) < 1e-3, `a row sums to ${sum}`);
            const [last] = predictions.slice(-1);
            const later = data.subarray(last! * size + last! + 1, (last! + 1) * size);
            assert.ok(later.every((value) => value < 1e-6));
            const seen = data.subarray(0, size).some((value, j) => j > 0 && value > 1e-6);
            if (!BOTH_WAYS.includes(name)) assert.ok(!seen, 'the first token sees itself only');
          }
          assert.ok(image.length > 0 && image.every((place) => place < predictions[0]!));
          assert.ok(grids.every(({ views: own }) => own.length > 0));
          for (const { layers, grid } of views) {
            assert.equal(layers.length, LAYERS[name]![0]);
            for (const { size, data } of layers) {
              for (const sum of rowSums(data, size)) assert.ok(Math.abs(sum - 1) < 1e-3, `a row sums to ${sum}`);
            }
            assert.equal(new Set(grid.cells).size, grid.rows * grid.cols);
          }
        }));

      it('what an answer token attends to of the image is its row of that', () =>
        withScorer(name, async (scorer) => {
          const { decoder, predictions, image } = await scorer.internals.attention();
          const { layers } = await scorer.internals.answerAttention();
          assert.equal(layers.length, decoder.length);
          layers.forEach((rows, l) => {
            const { size, data } = decoder[l]!;
            predictions.forEach((place, t) =>
              image.forEach((column, i) => {
                const [one, other] = [rows[t * image.length + i]!, data[place * size + column]!];
                // Encoders in 16 bits are run as they are where features are read, and in 32 in a graph of one piece.
                assert.ok(Math.abs(one - other) < (name.endsWith('fp16') ? 0.02 : 1e-4), `${one} and ${other}`);
              }),
            );
          });
        }));

      it('the first block’s features change where the picture does', () =>
        withScorer(name, async (scorer, model) => {
          const moved = await model.scorer(
            await noisyPicture(SQUARE),
            QUESTION,
            [...scorer.answer.tokens].map(({ id }) => id),
          );
          const [before, after] = await Promise.all(
            [scorer, moved].map((one) => one.internals.visionGradient(ones(one), 0)),
          );
          const changes = before!.flatMap((view, v) => changeInside(view, after![v]!, SQUARE));
          assert.ok(changes.length > 0, 'a view shows the square');
          for (const ratio of changes) {
            assert.ok(ratio > (MIXED[name] ?? 2), `${ratio} times as much in the square as beside it`);
          }
        }));

      it('logits of words at places differ as their log p do', () =>
        withScorer(
          name,
          async (scorer, model) => {
            const [first, one, other] = scorer.answer.tokens.map(({ id }) => id) as [number, number, number];
            const { ids, prompt, image, logits } = await scorer.internals.tokenLogits();
            assert.deepEqual(ids.slice(prompt), [first, one, other]);
            assert.ok(prompt > 0, 'the question’s words are among the prompt’s');
            const at = (image + prompt) * ids.length + prompt;
            const logp = async (id: number) => {
              const alone = await model.scorer(picture, QUESTION, [first, id]);
              const mask = { rows: 2, cols: 2, data: Float32Array.of(1, 1, 1, 1) };
              return (await alone.logp([{ mask }]))[0]![1]!;
            };
            const expected = (await logp(one)) - (await logp(other));
            const measured = logits[at + 1]! - logits[at + 2]!;
            assert.ok(
              Math.abs(measured - expected) < (name.endsWith('fp16') ? 0.05 : 2e-3),
              `${measured} and ${expected}`,
            );
          },
          [41, 52, 63],
        ));

      for (const method of ['vision-grad-cam', 't-mm', 'attention-rollout', 'raw-attention', 'tam']) {
        it(`${method} gives a map`, () =>
          withScorer(name, async (scorer) => {
            const { method: chosen, options } = chosenMethod({ name: method, maskSize: 8 });
            const { data } = await chosen.attribute(scorer, ones(scorer), options, { seed: 0 });
            assert.ok(data.every((value) => Number.isFinite(value) && value >= 0));
            assert.ok(Math.max(...data) > 0);
          }));
      }
    });
  }

  // With fused attention, written out first, and without.
  for (const name of ['llava', 'llava_q4']) {
    it(`(A ⊙ ∂S/∂A)⁺ of ${name} is what finite differences show, in encoder and decoder`, () =>
      withScorer(name, async (scorer, model) => {
        const weights = Float32Array.from({ length: scorer.tokenCount }, (_, t) => 1 + t / 2);
        const { decoder, views } = await scorer.internals.attention(weights);
        const [run] = await graphsOf(() => scorer.internals.attention(weights));
        const layers = [...views[0]!.layers, ...decoder];
        for (const i of layers.keys()) await compareRelevance(model, run!, i, layers[i]!, weights);
      }));
  }

  it('a token’s log-odds change with everything inside as its log p does, 1/(1 − odds·p) times as much', () =>
    withScorer('llava', async (scorer) => {
      const weights = Float32Array.from({ length: scorer.tokenCount }, (_, t) => Number(t === 1));
      const odds = 0.9;
      const whole = { rows: 2, cols: 2, data: new Float32Array(4).fill(1) };
      const [logp] = await scorer.logp([{ mask: whole }]);
      const times = 1 / (1 - odds * Math.exp(logp![1]!));
      assert.ok(times > 1.0001);
      const { internals } = scorer;
      const read: Readonly<Record<string, (odds?: number) => Promise<Float32Array>>> = {
        'projected features': async (o) => (await scorer.featureGradient(weights, o))[0]!.gradient,
        'a vision block': async (o) => (await internals.visionGradient(weights, -1, o))[0]!.gradient,
        attention: async (o) => (await internals.attention(weights, o)).decoder[0]!.data,
      };
      for (const [what, gradient] of Object.entries(read)) {
        const [plain, steeper] = [await gradient(), await gradient(odds)];
        const scale = Math.max(...plain.map(Math.abs));
        assert.ok(scale > 0, what);
        steeper.forEach((value, i) =>
          assert.ok(
            Math.abs(value - times * plain[i]!) < 1e-4 * times * scale,
            `${what}: ${value}, not ${times} · ${plain[i]!}`,
          ),
        );
      }
    }));

  it('is read without a gradient by the methods that need none', () =>
    withScorer('llava', async (scorer) => {
      const small: Readonly<Record<string, object>> = {
        occlusion: { maskSize: 8 },
        rise: { maskSize: 8, samples: 4 },
        'grid-queries': { maskSize: 8 },
        'superpixel-search': { maskSize: 8, regions: 4, chosen: 2 },
        'attention-rollout': {},
        'raw-attention': {},
        tam: {},
      };
      const withGradients = new Set<string>();
      for (const { name } of METHODS.values()) {
        // What optimises masks takes long, and is known to need gradients.
        if (small[name] === undefined && !['grad-cam', 'vision-grad-cam', 't-mm', 'input-x-gradient'].includes(name))
          continue;
        const { method, options } = chosenMethod({ name, ...small[name] });
        const { gradient } = scorer.evaluations;
        const runs = await graphsOf(() => method.attribute(scorer, ones(scorer), options, { seed: 0 }));
        assert.ok(runs.length > 0);
        const built = runs.some(({ shape }) => shape.gradient);
        assert.equal(scorer.evaluations.gradient > gradient, built);
        if (built) withGradients.add(name);
      }
      assert.deepEqual([...withGradients].sort(), ['grad-cam', 'input-x-gradient', 't-mm', 'vision-grad-cam']);
    }));

  it('says which blocks an encoder has', () =>
    withScorer('llava', async (scorer) => {
      const { internals } = scorer;
      await assert.rejects(internals.visionGradient(ones(scorer), 5), /has no block 5: it has 2.*from 0 to 1/s);
      await assert.rejects(internals.visionGradient(ones(scorer), -3), /has no block -3/);
    }));

  it('says where attention cannot be found', () =>
    withScorer('llava', async (scorer, model) => {
      const [run] = await graphsOf(() => scorer.internals.attention());
      const folder = await mkdtemp(path.join(os.tmpdir(), 'lens-internals-'));
      try {
        const sources = sourcesOf(model);
        const copy = path.join(folder, 'copy.onnx');
        await copyFile(sources.decoder_model_merged!, copy);
        const broken = readGraph(copy);
        for (const node of broken.nodes) {
          if (node.op !== 'Softmax') continue;
          node.op = 'Sigmoid';
          node.attributes = {};
        }
        const file = path.join(folder, 'decoder_model_merged.onnx');
        await writeFile(file, serialise(broken, folder));
        assert.throws(
          () => buildAttentionGraph({ ...sources, decoder_model_merged: file }, run!.shape),
          /decoder’s graph there is no attention.*Take a method that reads no attention/s,
        );
      } finally {
        await rm(folder, { recursive: true });
      }
    }));
});

function sourcesOf({ info: { folder } }: LoadedModel): Record<string, string> {
  const files = readdirSync(path.join(folder, 'onnx')).filter(
    (file) => file.endsWith('.onnx') && !file.startsWith('embed'),
  );
  return Object.fromEntries(
    files.map((file) => [file.replace(/(_q4|_fp16)?\.onnx$/, ''), path.join(folder, 'onnx', file)]),
  );
}

/** How many times more the features of a view change in the square than beside it; nothing where the view does not show all of the square. */
function changeInside(before: FeatureGradient, after: FeatureGradient, square: typeof SQUARE): number[] {
  const { rows, cols, channels, window } = before;
  const [left, top, width, height] = window;
  const within = (x: number, y: number) =>
    x >= square.x && x < square.x + square.side && y >= square.y && y < square.y + square.side;
  const shown =
    square.x >= left * 300 &&
    square.x + square.side <= (left + width) * 300 &&
    square.y >= top * 200 &&
    square.y + square.side <= (top + height) * 200;
  if (!shown) return [];
  const [inside, outside] = [[] as number[], [] as number[]];
  for (let cell = 0; cell < rows * cols; cell++) {
    const of = ({ features }: FeatureGradient) => features.subarray(cell * channels, (cell + 1) * channels);
    const other = of(after);
    const change = Math.hypot(...of(before).map((value, c) => value - other[c]!));
    const x = (left + (((cell % cols) + 0.5) / cols) * width) * 300;
    const y = (top + ((Math.floor(cell / cols) + 0.5) / rows) * height) * 200;
    (within(x, y) ? inside : outside).push(change);
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return inside.length === 0 ? [] : [mean(inside) / mean(outside)];
}

/** Moves single probabilities of one layer in the graph that scores, and compares the score's change with the relevance that was read. */
async function compareRelevance(
  model: LoadedModel,
  { shape, feeds }: { shape: ScoreShape; feeds: Tensors },
  index: number,
  relevance: { size: number; data: Float32Array },
  weights: Float32Array,
): Promise<void> {
  const sources = sourcesOf(model);
  const { reads: _reads, ...plain } = shape;
  const graph = buildScoreGraph(sources, { ...plain, gradient: false });
  lowerAttention(graph);
  const attention = findAttention(graph)[index]!;
  const dims = graph.dims(attention.weights);
  const b = new Builder(graph, 'moved');
  const moved = b.add(attention.weights, addInput(graph, 'shift', 'float32', dims));
  const product = graph.nodes.findIndex(({ outputs }) => outputs[0] === attention.output);
  graph.nodes[product]!.inputs[0] = moved;
  graph.nodes.splice(product, 0, graph.nodes.pop()!);
  graph.outputs.push(attention.weights);
  const folder = path.join(model.info.folder, 'onnx');
  const session = await Session.open(serialise(graph, folder), { dataFolder: folder });
  const { weights: _weights, odds: _odds, ...rest } = feeds;
  const count = dims.reduce((product_, dim) => product_ * dim, 1);
  const run = async (shift: Float32Array) => {
    const results = await session.run({ ...rest, shift: float32(shift, dims) });
    const logp = floats(results, 'logp');
    return {
      score: weights.reduce((sum, w, t) => sum + w * logp[t]!, 0),
      probabilities: floats(results, attention.weights),
    };
  };
  const { probabilities } = await run(new Float32Array(count));
  const { size, data } = relevance;
  // The last decoder layer has the queries only at which the answer is predicted.
  const queries = dims.at(-2)! % size === 0 ? size : dims.at(-2)!;
  const heads = count / (queries * size);
  const from = queries === size ? 0 : Number((feeds.positions!.data as BigInt64Array)[0]!);
  const step = 0.02;
  const largest = [...data.keys()].sort((i, j) => data[j]! - data[i]!).slice(0, 3);
  assert.ok(data[largest[0]!]! > 0, 'something is relevant');
  for (const cell of largest) {
    let expected = 0;
    for (let head = 0; head < heads; head++) {
      const at = head * queries * size + cell - from * size;
      const scoreAt = async (by: number) =>
        (await run(Float32Array.from({ length: count }, (_, i) => (i === at ? by : 0)))).score;
      const slope = ((await scoreAt(step)) - (await scoreAt(-step))) / (2 * step);
      expected += Math.max(0, probabilities[at]! * slope) / heads;
    }
    assert.ok(
      Math.abs(expected - data[cell]!) < 0.02 * data[largest[0]!]!,
      `layer ${index}: ${expected} and ${data[cell]!}`,
    );
  }
  await session.release();
}
