import type {
  BaselineName,
  FeatureGradient,
  GradientRequest,
  Internals,
  Mask,
  NormalisedImage,
  ScoreGradient,
  ScoreRequest,
} from '../attribution/scorer.ts';
import { AbortError } from '../errors.ts';
import { BASELINE_PICTURES, noisePixels } from '../image/baseline.ts';
import type { Picture } from '../image/picture.ts';
import { seededRandom } from '../image/random.ts';
import type { CacheSizes } from './empty-cache.ts';
import { OnnxInternals } from './internals.ts';
import type { Words } from './internals.ts';
import type { AnswerScorer, EncoderView, TokenisedText } from './loaded-model.ts';
import type { ScoreInput, ScoreShape } from './score-graph.ts';
import { widthOf } from './segments.ts';
import type { Segment } from './segments.ts';
import type { ScoreSessions } from './score-sessions.ts';
import { float32, floats, int64 } from './session.ts';
import type { Tensors } from './session.ts';
import { maskMatrices } from './views.ts';
import { pixelDims } from './vision-graph.ts';
import { globalView } from './vision-plan.ts';
import type { VisionPlan } from './vision-plan.ts';

/** How many masks are evaluated in one run of a small model where there are enough. */
export const BATCH = 4;
/** Views of more pixels together make a run that keeps the processor busy by itself, and several would only take memory. */
const BATCH_PIXELS = 1 << 16;

/** What a scorer is made of; see `LoadedModel.scorer`. */
export interface ScorerParts {
  readonly sessions: ScoreSessions;
  readonly picture: Picture;
  /** For pictures of this size. */
  readonly plan: VisionPlan;
  readonly answer: TokenisedText;
  /** Prompt and answer without its last token; padded. */
  readonly segments: readonly Segment[];
  /** Where in the sequence the first answer token is predicted. */
  readonly firstPrediction: number;
  /** Whether the tokens of the prompt see each other in both directions. */
  readonly promptSeesItself?: boolean | undefined;
  /** Position ids of the padded sequence, one list for each axis. */
  readonly positions: readonly (readonly number[])[];
  /** What config.json says of the key-value cache. */
  readonly cacheSizes: CacheSizes;
  /** Further inputs of the decoder, of the padded sequence. */
  readonly tokenInputs: Readonly<Record<string, readonly number[]>>;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Feature rows of a picture of the plan's size. */
  readonly encode: (picture: Picture) => Promise<Float32Array>;
  /** Text of the prompt after the picture, without special tokens. */
  readonly words: Words;
}

/** Answers differ in length: graphs are made for multiples of this many tokens, and what is too much has weight 0. */
const ANSWER_STEP = 8;

/** Scores one answer by the model's own graphs. */
export class OnnxScorer implements AnswerScorer {
  readonly answer: TokenisedText;
  readonly tokenCount: number;
  readonly image: NormalisedImage;
  readonly encoders: readonly EncoderView[];
  readonly evaluations = { forward: 0, gradient: 0 };
  readonly internals: Internals;
  readonly #parts: ScorerParts;
  readonly #width: number;
  readonly #batch: number;
  readonly #padded: number;
  readonly #textFeeds: Tensors;
  /** Of each stack. */
  readonly #pixels: readonly Float32Array[];
  readonly #baselines = new Map<BaselineName, readonly Float32Array[]>();

  constructor(parts: ScorerParts) {
    const { answer, plan, picture, firstPrediction, segments } = parts;
    this.#parts = parts;
    this.answer = answer;
    this.tokenCount = answer.tokens.length;
    this.#padded = Math.ceil(this.tokenCount / ANSWER_STEP) * ANSWER_STEP;
    this.#width = widthOf(segments);
    this.#batch = plan.batch ?? (pixelCount(plan) <= BATCH_PIXELS ? BATCH : 1);
    this.#pixels = plan.stacks.map((stack) => stack.render(picture));
    this.image = this.#globalImage();
    const several = new Set(plan.stacks.map(({ graph }) => graph)).size > 1;
    this.encoders = several ? plan.stacks.map(({ name, height, width }) => ({ name, height, width })) : [];
    const token = (i: number) => Math.min(i, this.tokenCount - 1);
    const positions = Array.from({ length: this.#padded }, (_, i) => firstPrediction + token(i));
    const ids = Array.from({ length: this.#padded }, (_, i) => answer.tokens[token(i)]!.id);
    const texts = segments.filter((segment) => segment.kind === 'text');
    this.#textFeeds = {
      ...Object.fromEntries(texts.map(({ rows, length }, i) => [`text/${i}`, float32(rows, [1, length, this.#width])])),
      positions: int64(positions, [this.#padded]),
      ids: int64(ids, [this.#padded]),
    };
    this.internals = new OnnxInternals({
      plan,
      shape: ({ from, gradient, ...reading }) => ({ ...this.#shape(from, gradient, 1, NO_MASK), ...reading }),
      run: (shape, feeds) => this.#runReading(shape, feeds),
      textFeeds: this.#textFeeds,
      scoreFeeds: (weights, odds = 0) => this.#scoreFeeds([{ weights, odds }]),
      pixels: this.#pixels,
      features: () => parts.encode(picture),
      tokenCount: this.tokenCount,
      firstPrediction,
      prompt: parts.words,
      answer: answer.tokens.map(({ id }) => id),
    });
  }

  async logp(requests: readonly ScoreRequest[]): Promise<Float32Array[]> {
    const results: Float32Array[] = [];
    for await (const { logp, index } of this.#evaluate(requests, false)) results[index] = logp;
    this.evaluations.forward += requests.length;
    return results;
  }

  async gradient(requests: readonly GradientRequest[]): Promise<ScoreGradient[]> {
    const results: ScoreGradient[] = [];
    for await (const { logp, gradient, index } of this.#evaluate(requests, true)) {
      const { rows, cols } = requests[index]!.mask;
      results[index] = { logp, gradient: { rows, cols, data: gradient! } };
    }
    this.evaluations.gradient += requests.length;
    return results;
  }

  async featureGradient(weights: Float32Array, odds = 0): Promise<FeatureGradient[]> {
    const { plan, picture, encode, sessions } = this.#parts;
    const features = await encode(picture);
    const feeds = {
      ...this.#textFeeds,
      ...this.#scoreFeeds([{ weights, odds }]),
      features: float32(features, [1, plan.rows, this.#width]),
    };
    this.#checkSignal();
    const results = await sessions.run(this.#shape('features', true, 1, NO_MASK), feeds);
    this.evaluations.gradient += 1;
    const gradient = floats(results, 'gradient');
    return plan.grids.map(({ rows, cols, cells, window: { left, top, width, height } }) => ({
      rows,
      cols,
      channels: this.#width,
      features: gathered(features, cells, this.#width),
      gradient: gathered(gradient, cells, this.#width),
      window: [left, top, width, height],
    }));
  }

  /**
   * The score's gradient with respect to the pixels of every view, in normalised units, at the whole image.
   * @returns log p of each token, and for each stack of views n · 3 · height · width values, planar
   */
  async pixelGradient(weights: Float32Array): Promise<{ logp: Float32Array; gradients: Float32Array[] }> {
    const { plan, sessions } = this.#parts;
    const feeds: Record<string, Tensors[string]> = { ...this.#textFeeds, ...this.#scoreFeeds([{ weights }]) };
    plan.stacks.forEach((stack, i) => {
      feeds[`pixels/${stack.name}`] = float32(this.#pixels[i]!, pixelDims(stack, 1));
    });
    this.#checkSignal();
    const results = await sessions.run(this.#shape('pixels', true, 1, NO_MASK), feeds);
    this.evaluations.gradient += 1;
    return {
      logp: floats(results, 'logp').slice(0, this.tokenCount),
      gradients: plan.stacks.map(({ name }) => floats(results, `gradient/${name}`)),
    };
  }

  async #runReading(shape: ScoreShape, feeds: Tensors): Promise<Tensors> {
    this.#checkSignal();
    const results = await this.#parts.sessions.run(shape, feeds);
    // Of a part of the encoder alone nothing is counted.
    if (shape.answer > 0) this.evaluations[shape.gradient ? 'gradient' : 'forward'] += 1;
    return results;
  }

  async *#evaluate(
    requests: readonly (ScoreRequest & Partial<GradientRequest>)[],
    gradient: boolean,
  ): AsyncGenerator<{ index: number; logp: Float32Array; gradient?: Float32Array }> {
    for (const { size, indexes } of batches(requests, this.#batch)) {
      this.#checkSignal();
      // What fills a batch up repeats its last request.
      const batch = Array.from({ length: size }, (_, i) => requests[indexes[Math.min(i, indexes.length - 1)]!]!);
      const { mask } = batch[0]!;
      const shape = this.#shape('mask', gradient, size, mask);
      const feeds = {
        ...this.#textFeeds,
        ...this.#maskFeeds(batch),
        ...this.#viewFeeds(batch),
        ...(gradient ? this.#scoreFeeds(batch as readonly GradientRequest[]) : {}),
      };
      const results = await this.#parts.sessions.run(shape, feeds);
      const logp = floats(results, 'logp');
      const cells = mask.rows * mask.cols;
      for (const [i, index] of indexes.entries()) {
        yield {
          index,
          logp: logp.slice(i * this.#padded, i * this.#padded + this.tokenCount),
          ...(gradient ? { gradient: floats(results, 'gradient').slice(i * cells, (i + 1) * cells) } : {}),
        };
      }
    }
  }

  #shape(from: ScoreInput, gradient: boolean, batch: number, mask: Pick<Mask, 'rows' | 'cols'>): ScoreShape {
    const { plan, segments, positions, tokenInputs, cacheSizes, promptSeesItself, firstPrediction } = this.#parts;
    return {
      from,
      gradient,
      batch,
      maskRows: mask.rows,
      maskCols: mask.cols,
      plan,
      runs: segments.map(({ kind, length }) => ({ kind, length })),
      width: this.#width,
      answer: this.#padded,
      positions,
      tokenInputs,
      cacheSizes,
      // The first token of the answer is predicted at the prompt's last.
      ...(promptSeesItself ? { prefix: firstPrediction + 1 } : {}),
    };
  }

  #maskFeeds(batch: readonly ScoreRequest[]): Record<string, Tensors[string]> {
    const { rows, cols } = batch[0]!.mask;
    const masks = new Float32Array(batch.length * rows * cols);
    batch.forEach(({ mask }, i) => masks.set(mask.data, i * rows * cols));
    const feeds: Record<string, Tensors[string]> = { mask: float32(masks, [batch.length, rows, cols]) };
    for (const stack of this.#parts.plan.stacks) {
      const ups = stack.views.map(({ window }) => maskMatrices(stack, window, { rows, cols }));
      const several = ups.length === 1 ? [] : [ups.length];
      feeds[`up-rows/${stack.name}`] = float32(joined(ups.map((up) => up.rows)), [...several, stack.height, rows]);
      feeds[`up-cols/${stack.name}`] = float32(joined(ups.map((up) => up.cols)), [...several, cols, stack.width]);
    }
    return feeds;
  }

  #viewFeeds(batch: readonly ScoreRequest[]): Record<string, Tensors[string]> {
    const { baseline: named = DEFAULT_BASELINE, encoders } = batch[0]!;
    const baseline = this.#baseline(named);
    // One stream of noise for each request, through all views.
    const sources = batch.map(({ noise }) => (noise === undefined ? undefined : seededRandom(noise.seed)));
    const feeds: Record<string, Tensors[string]> = {};
    for (const [s, stack] of this.#parts.plan.stacks.entries()) {
      const size = this.#pixels[s]!.length;
      const noise = new Float32Array(batch.length * size);
      for (const [i, source] of sources.entries()) {
        if (source === undefined) continue;
        const { sigma } = batch[i]!.noise!;
        for (let k = i * size; k < (i + 1) * size; k++) noise[k] = sigma * source.normal();
      }
      feeds[`image/${stack.name}`] = float32(this.#pixels[s]!, pixelDims(stack, 1));
      // Where the baseline is the image itself a mask changes nothing, and no gradient comes back.
      const masked = encoders?.includes(stack.name) ?? true;
      feeds[`baseline/${stack.name}`] = float32(masked ? baseline[s]! : this.#pixels[s]!, pixelDims(stack, 1));
      feeds[`noise/${stack.name}`] = float32(noise, pixelDims(stack, batch.length));
    }
    return feeds;
  }

  #baseline(name: BaselineName): readonly Float32Array[] {
    let stacks = this.#baselines.get(name);
    if (stacks === undefined) {
      const { picture, plan } = this.#parts;
      if (name === 'noise') stacks = this.#noiseViews();
      else {
        const replaced = BASELINE_PICTURES[name](picture);
        stacks = plan.stacks.map((stack) => stack.render(replaced));
      }
      this.#baselines.set(name, stacks);
    }
    return stacks;
  }

  /** Noise where a view shows the picture; its padding stays as it is. */
  #noiseViews(): Float32Array[] {
    const { plan, seed } = this.#parts;
    let serial = 0;
    return plan.stacks.map((stack, s) => {
      const values = this.#pixels[s]!.slice();
      const plane = stack.height * stack.width;
      stack.views.forEach(({ window }, v) => {
        const noise = stack.normalise(noisePixels(stack.width, stack.height, seed + serial++));
        for (let i = 0; i < plane; i++) {
          const x = window.left + (((i % stack.width) + 0.5) / stack.width) * window.width;
          const y = window.top + ((Math.floor(i / stack.width) + 0.5) / stack.height) * window.height;
          if (x < 0 || x > 1 || y < 0 || y > 1) continue;
          for (let c = 0; c < 3; c++) values[(v * 3 + c) * plane + i] = noise[c * plane + i]!;
        }
      });
      return values;
    });
  }

  #globalImage(): NormalisedImage {
    const { stack, view } = globalView(this.#parts.plan);
    const { height, width } = this.#parts.plan.stacks[stack]!;
    const size = 3 * height * width;
    return { channels: 3, height, width, data: this.#pixels[stack]!.subarray(view * size, (view + 1) * size) };
  }

  /** The scores of a batch: weights [batch, padded] with 0 for what only fills the answer up, and odds [batch, 1]. */
  #scoreFeeds(batch: readonly Pick<GradientRequest, 'weights' | 'odds'>[]): Tensors {
    const values = new Float32Array(batch.length * this.#padded);
    batch.forEach(({ weights }, i) => {
      if (weights.length !== this.tokenCount) {
        throw new Error(`${weights.length} weights for ${this.tokenCount} answer tokens`);
      }
      values.set(weights, i * this.#padded);
    });
    const odds = Float32Array.from(batch, (request) => request.odds ?? 0);
    return { weights: float32(values, [batch.length, this.#padded]), odds: float32(odds, [batch.length, 1]) };
  }

  #checkSignal(): void {
    if (this.#parts.signal?.aborted) throw new AbortError();
  }
}

const DEFAULT_BASELINE: BaselineName = 'blur';
const NO_MASK = { rows: 0, cols: 0 };

/** Requests that can run together, by baseline and encoders: full batches, and what is left either as one batch more or one by one. */
function* batches(requests: readonly ScoreRequest[], full: number): Generator<{ size: number; indexes: number[] }> {
  const groups = new Map<string, number[]>();
  for (const [index, { mask, baseline = DEFAULT_BASELINE, encoders }] of requests.entries()) {
    const key = JSON.stringify([baseline, mask.rows, mask.cols, encoders]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  for (const indexes of groups.values()) {
    let at = 0;
    while (at < indexes.length) {
      // A batch that is at least half full is cheaper than its requests one by one.
      const size = indexes.length - at >= full / 2 ? full : 1;
      yield { size, indexes: indexes.slice(at, at + size) };
      at += size;
    }
  }
}

function pixelCount({ stacks }: VisionPlan): number {
  return stacks.reduce((sum, { views, height, width }) => sum + views.length * height * width, 0);
}

/** Rows of a matrix of `width` columns. */
function gathered(matrix: Float32Array, rows: readonly number[], width: number): Float32Array {
  const result = new Float32Array(rows.length * width);
  rows.forEach((row, i) => result.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  return result;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
