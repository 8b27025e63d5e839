import type {
  BaselineName,
  FeatureGradient,
  GradientRequest,
  Mask,
  NormalisedImage,
  ScoreGradient,
  ScoreRequest,
} from '../attribution/scorer.ts';
import { AbortError } from '../errors.ts';
import { BASELINE_PICTURES, noisePixels } from '../image/baseline.ts';
import type { Picture } from '../image/picture.ts';
import { seededRandom } from '../image/random.ts';
import type { AnswerScorer, TokenisedText } from './loaded-model.ts';
import type { ScoreInput, ScoreShape } from './score-graph.ts';
import type { ScoreSessions } from './score-sessions.ts';
import { float32, floats, int64 } from './session.ts';
import type { Tensors } from './session.ts';
import { maskMatrices } from './views.ts';
import type { ViewGeometry } from './views.ts';

/** How many masks are evaluated in one run where there are enough. */
export const BATCH = 4;

/** What a scorer is made of; see `LoadedModel.scorer`. */
export interface ScorerParts {
  readonly sessions: ScoreSessions;
  readonly picture: Picture;
  readonly views: readonly ViewGeometry[];
  readonly answer: TokenisedText;
  /** Embeddings before the image's features and after them, those of the answer without its last token included; padded. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  readonly width: number;
  /** Where in the sequence the first answer token is predicted. */
  readonly firstPrediction: number;
  readonly firstPosition: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Projected features of the views at some pixels, in the order of the views. */
  readonly encode: (picture: Picture) => Promise<readonly Float32Array[]>;
}

/** Answers differ in length: graphs are made for multiples of this many tokens, and what is too much has weight 0. */
const ANSWER_STEP = 8;

/** Scores one answer by the model's own graphs. */
export class OnnxScorer implements AnswerScorer {
  readonly answer: TokenisedText;
  readonly tokenCount: number;
  readonly image: NormalisedImage;
  readonly evaluations = { forward: 0, gradient: 0 };
  readonly #parts: ScorerParts;
  readonly #padded: number;
  readonly #textFeeds: Tensors;
  readonly #pixels: readonly Float32Array[];
  readonly #baselines = new Map<BaselineName, readonly Float32Array[]>();

  constructor(parts: ScorerParts) {
    const { answer, views, picture, firstPrediction, before, after, width } = parts;
    this.#parts = parts;
    this.answer = answer;
    this.tokenCount = answer.tokens.length;
    this.#padded = Math.ceil(this.tokenCount / ANSWER_STEP) * ANSWER_STEP;
    this.#pixels = views.map((view) => view.render(picture));
    const [global] = views;
    this.image = { channels: 3, height: global!.height, width: global!.width, data: this.#pixels[0]! };
    const token = (i: number) => Math.min(i, this.tokenCount - 1);
    const positions = Array.from({ length: this.#padded }, (_, i) => firstPrediction + token(i));
    const ids = Array.from({ length: this.#padded }, (_, i) => answer.tokens[token(i)]!.id);
    this.#textFeeds = {
      ...(before.length === 0 ? {} : { before: float32(before, [1, before.length / width, width]) }),
      ...(after.length === 0 ? {} : { after: float32(after, [1, after.length / width, width]) }),
      positions: int64(positions, [this.#padded]),
      ids: int64(ids, [this.#padded]),
    };
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

  async featureGradient(weights: Float32Array): Promise<FeatureGradient[]> {
    const { views, picture, width, encode, sessions } = this.#parts;
    const features = await encode(picture);
    const feeds: Record<string, Tensors[string]> = { ...this.#textFeeds, weights: this.#weights([weights]) };
    views.forEach(({ name, rows, cols }, i) => {
      feeds[`features/${name}`] = float32(features[i]!, [1, rows * cols, width]);
    });
    this.#checkSignal();
    const results = await sessions.run(this.#shape('features', true, 1, NO_MASK), feeds);
    this.evaluations.gradient += 1;
    return views.map((view, i) => {
      const { left, top, width: across, height: down } = view.window(picture);
      return {
        rows: view.rows,
        cols: view.cols,
        channels: width,
        features: features[i]!,
        gradient: floats(results, `gradient/${view.name}`),
        window: [left, top, across, down],
      };
    });
  }

  /**
   * The score's gradient with respect to the pixels of every view, in normalised units, at the whole image.
   * @returns log p of each token, and for each view 3 · height · width values, planar
   */
  async pixelGradient(weights: Float32Array): Promise<{ logp: Float32Array; gradients: Float32Array[] }> {
    const { views, sessions } = this.#parts;
    const feeds: Record<string, Tensors[string]> = { ...this.#textFeeds, weights: this.#weights([weights]) };
    views.forEach(({ name, height, width }, i) => {
      feeds[`pixels/${name}`] = float32(this.#pixels[i]!, [1, 3, height, width]);
    });
    this.#checkSignal();
    const results = await sessions.run(this.#shape('pixels', true, 1, NO_MASK), feeds);
    this.evaluations.gradient += 1;
    return {
      logp: floats(results, 'logp').slice(0, this.tokenCount),
      gradients: views.map(({ name }) => floats(results, `gradient/${name}`)),
    };
  }

  async *#evaluate(
    requests: readonly (ScoreRequest & { readonly weights?: Float32Array })[],
    gradient: boolean,
  ): AsyncGenerator<{ index: number; logp: Float32Array; gradient?: Float32Array }> {
    for (const { size, indexes } of batches(requests)) {
      this.#checkSignal();
      // What fills a batch up repeats its last request.
      const batch = Array.from({ length: size }, (_, i) => requests[indexes[Math.min(i, indexes.length - 1)]!]!);
      const { mask } = batch[0]!;
      const shape = this.#shape('mask', gradient, size, mask);
      const feeds = { ...this.#textFeeds, ...this.#maskFeeds(batch), ...this.#viewFeeds(batch) };
      if (gradient) feeds.weights = this.#weights(batch.map(({ weights }) => weights!));
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
    const { views, before, after, width, firstPosition } = this.#parts;
    return {
      from,
      gradient,
      batch,
      maskRows: mask.rows,
      maskCols: mask.cols,
      views: views.map((view) => ({
        name: view.name,
        input: view.input,
        height: view.height,
        width: view.width,
        features: view.rows * view.cols,
      })),
      before: before.length / width,
      after: after.length / width,
      width,
      answer: this.#padded,
      firstPosition,
    };
  }

  #maskFeeds(batch: readonly ScoreRequest[]): Record<string, Tensors[string]> {
    const { rows, cols } = batch[0]!.mask;
    const masks = new Float32Array(batch.length * rows * cols);
    batch.forEach(({ mask }, i) => masks.set(mask.data, i * rows * cols));
    const feeds: Record<string, Tensors[string]> = { mask: float32(masks, [batch.length, rows, cols]) };
    for (const view of this.#parts.views) {
      const up = maskMatrices(view, view.window(this.#parts.picture), { rows, cols });
      feeds[`up-rows/${view.name}`] = float32(up.rows, [view.height, rows]);
      feeds[`up-cols/${view.name}`] = float32(up.cols, [cols, view.width]);
    }
    return feeds;
  }

  #viewFeeds(batch: readonly ScoreRequest[]): Record<string, Tensors[string]> {
    const { views } = this.#parts;
    const baseline = this.#baseline(batch[0]!.baseline ?? DEFAULT_BASELINE);
    // One stream of noise for each request, through all views.
    const sources = batch.map(({ noise }) => (noise === undefined ? undefined : seededRandom(noise.seed)));
    const feeds: Record<string, Tensors[string]> = {};
    for (const [v, { name, height, width }] of views.entries()) {
      const size = 3 * height * width;
      const noise = new Float32Array(batch.length * size);
      for (const [i, source] of sources.entries()) {
        if (source === undefined) continue;
        const { sigma } = batch[i]!.noise!;
        for (let k = i * size; k < (i + 1) * size; k++) noise[k] = sigma * source.normal();
      }
      feeds[`image/${name}`] = float32(this.#pixels[v]!, [1, 3, height, width]);
      feeds[`baseline/${name}`] = float32(baseline[v]!, [1, 3, height, width]);
      feeds[`noise/${name}`] = float32(noise, [batch.length, 3, height, width]);
    }
    return feeds;
  }

  #baseline(name: BaselineName): readonly Float32Array[] {
    let views = this.#baselines.get(name);
    if (views === undefined) {
      const { picture, views: geometries, seed } = this.#parts;
      if (name === 'noise') {
        views = geometries.map((view, i) => view.normalise(noisePixels(view.width, view.height, seed + i)));
      } else {
        const replaced = BASELINE_PICTURES[name](picture);
        views = geometries.map((view) => view.render(replaced));
      }
      this.#baselines.set(name, views);
    }
    return views;
  }

  /** Weights of a batch, with 0 for what only fills the answer up: [batch, padded]. */
  #weights(batch: readonly Float32Array[]): Tensors[string] {
    const values = new Float32Array(batch.length * this.#padded);
    batch.forEach((weights, i) => {
      if (weights.length !== this.tokenCount) {
        throw new Error(`${weights.length} weights for ${this.tokenCount} answer tokens`);
      }
      values.set(weights, i * this.#padded);
    });
    return float32(values, [batch.length, this.#padded]);
  }

  #checkSignal(): void {
    if (this.#parts.signal?.aborted) throw new AbortError();
  }
}

const DEFAULT_BASELINE: BaselineName = 'blur';
const NO_MASK = { rows: 0, cols: 0 };

/** Requests that can run together, by baseline: full batches, and what is left either as one batch more or one by one. */
function* batches(requests: readonly ScoreRequest[]): Generator<{ size: number; indexes: number[] }> {
  const groups = new Map<string, number[]>();
  for (const [index, { mask, baseline = DEFAULT_BASELINE }] of requests.entries()) {
    const key = `${baseline} ${mask.rows} ${mask.cols}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  for (const indexes of groups.values()) {
    let at = 0;
    while (at < indexes.length) {
      // A batch that is at least half full is cheaper than its requests one by one.
      const size = indexes.length - at >= BATCH / 2 ? BATCH : 1;
      yield { size, indexes: indexes.slice(at, at + size) };
      at += size;
    }
  }
}
