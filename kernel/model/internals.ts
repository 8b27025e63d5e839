import type {
  AnswerAttention,
  AttentionFlow,
  AttentionMatrix,
  FeatureGradient,
  Internals,
  TokenGrid,
  TokenLogits,
} from '../attribution/scorer.ts';
import { LensError } from '../errors.ts';
import { imagePlaces } from './attention-graph.ts';
import type { ScoreShape } from './score-graph.ts';
import { float32, floats, int64 } from './session.ts';
import type { Tensors } from './session.ts';
import { pixelDims } from './vision-graph.ts';
import type { FeatureGrid, VisionPlan } from './vision-plan.ts';
import type { ViewWindow } from './views.ts';

/** Words of the text after the picture, and where in the sequence they stand. */
export interface Words {
  readonly ids: readonly number[];
  readonly places: readonly number[];
}

/** What a scorer lends to the readings of its model. */
export interface InternalsSite {
  readonly plan: VisionPlan;
  /** Of a graph without a mask. */
  shape(graph: ReadingShape): ScoreShape;
  /** Runs a graph once the caller's signal allows it, and counts it. */
  run(shape: ScoreShape, feeds: Tensors): Promise<Tensors>;
  /** Of the text of the sequence, with `positions` and `ids`. */
  readonly textFeeds: Tensors;
  /** Of what is differentiated; see `GradientRequest`. */
  scoreFeeds(weights: Float32Array, odds?: number): Tensors;
  /** Of each stack. */
  readonly pixels: readonly Float32Array[];
  features(): Promise<Float32Array>;
  /** Number of answer tokens. */
  readonly tokenCount: number;
  /** Where in the sequence the first answer token is predicted. */
  readonly firstPrediction: number;
  /** Of the prompt, without special tokens. */
  readonly prompt: Words;
  readonly answer: readonly number[];
}

type ReadingShape = Pick<ScoreShape, 'from' | 'gradient' | 'reads' | 'layer' | 'places' | 'vocabulary'>;

/** Where the tokens of an encoder lie. */
interface EncoderGrid {
  readonly rows: number;
  readonly cols: number;
  /** For each view and each patch, row by row, which token it is. */
  readonly cells: readonly (readonly number[])[];
}

/** Ids and places of logits differ with each question: graphs are made for multiples of this many. */
const LOGIT_STEP = 16;

/** Reads the inside of a model by graphs of its own, built only when somebody asks. */
export class OnnxInternals implements Internals {
  readonly #site: InternalsSite;
  #places: Promise<ReadonlyMap<string, EncoderGrid>> | undefined;

  constructor(site: InternalsSite) {
    this.#site = site;
  }

  async visionGradient(weights: Float32Array, layer: number, odds?: number): Promise<FeatureGradient[]> {
    const { plan } = this.#site;
    const feeds = { ...this.#pixelFeeds(), ...this.#site.scoreFeeds(weights, odds) };
    const results = await this.#run({ reads: 'vision-layer', from: 'pixels', gradient: true, layer }, feeds);
    const places = await this.#tokenPlaces();
    return plan.stacks.flatMap(({ name, views }) => {
      const [features, gradient] = [`features/${name}`, `gradient/${name}`];
      const { dims } = results[features]!;
      const grid = places.get(name);
      return views.map(({ window }, v) => {
        if (grid === undefined) return mapView(floats(results, features), floats(results, gradient), dims, v, window);
        const [, tokens, channels] = dims as [number, number, number];
        const of = (output: string) => {
          const rows = floats(results, output).subarray(v * tokens * channels, (v + 1) * tokens * channels);
          return rowsAt(rows, grid.cells[v]!, channels);
        };
        const { rows, cols } = grid;
        return { rows, cols, channels, features: of(features), gradient: of(gradient), window: shares(window) };
      });
    });
  }

  async answerAttention(): Promise<AnswerAttention> {
    const { plan, tokenCount } = this.#site;
    const results = await this.#run(
      { reads: 'answer-attention', from: 'features', gradient: false },
      await this.#featureFeeds(),
    );
    const layers = numbered(results, 'decoder-attention').map((name) =>
      floats(results, name).subarray(0, tokenCount * plan.rows),
    );
    return { layers, grids: plan.grids.map(gridOf) };
  }

  async attention(weights?: Float32Array, odds?: number): Promise<AttentionFlow> {
    const { plan, firstPrediction, tokenCount } = this.#site;
    const results = await this.#run(
      { reads: 'attention', from: 'pixels', gradient: weights !== undefined },
      { ...this.#pixelFeeds(), ...(weights === undefined ? {} : this.#site.scoreFeeds(weights, odds)) },
    );
    const places = await this.#tokenPlaces();
    const matrix = (name: string, view: number): AttentionMatrix => {
      const size = results[name]!.dims.at(-1)!;
      return { size, data: floats(results, name).subarray(view * size * size, (view + 1) * size * size) };
    };
    const views = plan.stacks.flatMap(({ name, views: shown, rows, cols }) => {
      const layers = numbered(results, `vision-attention/${name}`);
      const grid = places.get(name);
      return shown.map(({ window }, v) => ({
        layers: layers.map((layer) => matrix(layer, v)),
        grid:
          grid === undefined
            ? { rows, cols, cells: counted(rows * cols), window: shares(window) }
            : { rows: grid.rows, cols: grid.cols, cells: grid.cells[v]!, window: shares(window) },
      }));
    });
    const fusion = numbered(results, 'fusion-attention').map((name) => matrix(name, 0));
    if (fusion.some(({ size }) => size !== plan.rows) || (fusion.length > 0 && plan.assemble !== undefined)) {
      throw new LensError(
        `the graph that fuses the encoders attends over ${fusion[0]!.size} tokens, of which ${plan.rows} image tokens are made in another order`,
        'Take "raw-attention", which reads the decoder alone',
      );
    }
    return {
      decoder: numbered(results, 'decoder-attention').map((name) => matrix(name, 0)),
      fusion,
      predictions: Array.from({ length: tokenCount }, (_, t) => firstPrediction + t),
      image: imagePlaces(this.#site.shape({ from: 'pixels', gradient: false })),
      grids: plan.grids.map((grid) => ({ ...gridOf(grid), views: viewsOf(grid, plan) })),
      views,
    };
  }

  async tokenLogits(): Promise<TokenLogits> {
    const { plan, prompt, answer, firstPrediction } = this.#site;
    const ids = [...prompt.ids, ...answer];
    // Nothing is computed at the answer's last token, on which nothing depends.
    const text = [...prompt.places, ...answer.slice(0, -1).map((_, t) => firstPrediction + 1 + t)];
    const image = imagePlaces(this.#site.shape({ from: 'features', gradient: false }));
    const [places, vocabulary] = [filled([...image, ...text]), filled(ids)];
    const { positions: _positions, ids: _ids, ...feeds } = await this.#featureFeeds();
    const results = await this.#run(
      {
        ...{ reads: 'token-logits', from: 'features', gradient: false },
        ...{ places: places.length, vocabulary: vocabulary.length },
      },
      {
        ...feeds,
        places: int64(places, [places.length]),
        vocabulary: int64(vocabulary, [vocabulary.length]),
      },
    );
    const logits = floats(results, 'logits');
    const count = image.length + text.length;
    return {
      ids,
      prompt: prompt.ids.length,
      image: image.length,
      logits: Float32Array.from(
        { length: count * ids.length },
        (_, i) => logits[Math.floor(i / ids.length) * vocabulary.length + (i % ids.length)]!,
      ),
      grids: plan.grids.map(gridOf),
    };
  }

  #run(shape: ReadingShape, feeds: Tensors): Promise<Tensors> {
    return this.#site.run(this.#site.shape(shape), feeds);
  }

  #pixelFeeds(): Tensors {
    const { plan, pixels, textFeeds } = this.#site;
    const views = plan.stacks.map((stack, i) => [`pixels/${stack.name}`, float32(pixels[i]!, pixelDims(stack, 1))]);
    return { ...textFeeds, ...(Object.fromEntries(views) as Tensors) };
  }

  async #featureFeeds(): Promise<Tensors> {
    const { plan, features, textFeeds } = this.#site;
    const rows = await features();
    return { ...textFeeds, features: float32(rows, [1, plan.rows, rows.length / plan.rows]) };
  }

  #tokenPlaces(): Promise<ReadonlyMap<string, EncoderGrid>> {
    this.#places ??= this.#findPlaces();
    return this.#places;
  }

  /** Asks each encoder which token sees which patch, one binary digit of the patches' numbers in each run: see token-places-graph.ts. */
  async #findPlaces(): Promise<ReadonlyMap<string, EncoderGrid>> {
    const { plan, run } = this.#site;
    // The text is of no matter.
    const shape: ScoreShape = {
      ...this.#site.shape({ reads: 'token-places', from: 'pixels', gradient: false }),
      ...{ runs: [], positions: [], tokenInputs: {}, answer: 0, prefix: undefined },
    };
    const keysAt = (divisor: number) => run(shape, { divisor: float32(Float32Array.of(divisor), [1]) });
    const dark = await keysAt(NO_DIGIT);
    const stacks = plan.stacks.filter(({ name }) => dark[`keys/${name}`] !== undefined);
    if (stacks.length === 0) return new Map();
    const grids = stacks.map(({ name }) => Array.from(dark[`grid/${name}`]!.data as BigInt64Array, Number));
    const patches = grids.map(([rows, cols]) => rows! * cols!);
    const numbers = stacks.map(({ name, views }) => {
      const tokens = dark[`keys/${name}`]!.dims[2]!;
      return new Uint32Array(views.length * tokens);
    });
    for (let digit = 0; 2 ** digit <= Math.max(...patches); digit++) {
      const lit = await keysAt(2 ** digit);
      for (const [s, { name }] of stacks.entries()) {
        const changed = changedTokens(
          floats(dark, `keys/${name}`),
          floats(lit, `keys/${name}`),
          dark[`keys/${name}`]!.dims,
        );
        changed.forEach((is, token) => {
          if (is) numbers[s]![token]! += 2 ** digit;
        });
      }
    }
    return new Map(
      stacks.map(({ name, graph, views }, s) => {
        const [rows, cols] = grids[s] as [number, number];
        const tokens = numbers[s]!.length / views.length;
        const cells = views.map((_, v) =>
          Array.from({ length: rows * cols }, (_cell, patch) => {
            const own = numbers[s]!.subarray(v * tokens, (v + 1) * tokens);
            const token = own.indexOf(patch + 1);
            if (token >= 0 && own.indexOf(patch + 1, token + 1) < 0) return token;
            throw new LensError(
              `the tokens of the encoder "${graph}" do not lie on a grid of ${rows} × ${cols}`,
              'Take "grad-cam", which reads the projected image features',
            );
          }),
        );
        return [name, { rows, cols, cells }];
      }),
    );
  }
}

/** Divides every patch's number to 0. */
const NO_DIGIT = 2 ** 30;

/** What rounding may change of keys, as a share of the largest change: in 8 bits a step depends on all tokens together. */
const ROUNDING = 0.1;

/** Which of n · tokens tokens have other keys, [n, numbers, tokens]. */
function changedTokens(before: Float32Array, after: Float32Array, dims: readonly number[]): boolean[] {
  const [views, numbers, tokens] = dims as [number, number, number];
  const change = new Float32Array(views * tokens);
  for (let i = 0; i < before.length; i++) {
    const at = Math.floor(i / (numbers * tokens)) * tokens + (i % tokens);
    change[at] = Math.max(change[at]!, Math.abs(after[i]! - before[i]!));
  }
  const most = change.reduce((max, value) => Math.max(max, value), 0);
  return Array.from(change, (value) => value > ROUNDING * most);
}

/** Outputs 'prefix/0', 'prefix/1', … */
function numbered(results: Tensors, prefix: string): string[] {
  const names: string[] = [];
  while (results[`${prefix}/${names.length}`] !== undefined) names.push(`${prefix}/${names.length}`);
  return names;
}

const counted = (length: number): number[] => Array.from({ length }, (_, i) => i);

const shares = ({ left, top, width, height }: ViewWindow) => [left, top, width, height] as const;

const gridOf = ({ rows, cols, cells, window }: FeatureGrid): TokenGrid => ({
  rows,
  cols,
  cells,
  window: shares(window),
});

/** Which views, counted through all stacks, a grid's rows are made of. */
function viewsOf({ views: named, window }: FeatureGrid, { stacks }: VisionPlan): number[] {
  const views = stacks.flatMap((stack) => stack.views);
  const same = (other: ViewWindow) => shares(other).every((value, i) => Math.abs(value - shares(window)[i]!) < 1e-6);
  return views.flatMap((view, i) => ((named ? named.includes(view.name) : same(view.window)) ? [i] : []));
}

/** Filled up with its last element to a multiple of LOGIT_STEP. */
function filled(values: readonly number[]): number[] {
  const length = Math.ceil(values.length / LOGIT_STEP) * LOGIT_STEP;
  return Array.from({ length }, (_, i) => values[Math.min(i, values.length - 1)]!);
}

/** Rows of a matrix of `width` columns. */
function rowsAt(matrix: Float32Array, rows: readonly number[], width: number): Float32Array {
  const result = new Float32Array(rows.length * width);
  rows.forEach((row, i) => result.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  return result;
}

/** A view of maps [n, channels, rows, cols]. */
function mapView(
  features: Float32Array,
  gradient: Float32Array,
  dims: readonly number[],
  view: number,
  window: ViewWindow,
): FeatureGradient {
  const [, channels, rows, cols] = dims as [number, number, number, number];
  const plane = rows * cols;
  const of = (maps: Float32Array) =>
    Float32Array.from(
      { length: channels * plane },
      (_, i) => maps[(view * channels + (i % channels)) * plane + Math.floor(i / channels)]!,
    );
  return { rows, cols, channels, features: of(features), gradient: of(gradient), window: shares(window) };
}
