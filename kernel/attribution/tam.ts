import { z } from 'zod';
import { laidViews } from './laid-views.ts';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';
import type { TokenLogits } from './scorer.ts';

export interface TamOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Side of the rank Gaussian filter, in image tokens; 1 for none. */
  readonly filter: number;
}

/**
 * The activation of an answer token at each image token, less the interference of its context (the paper's estimated causal inference):
 * a = (logit)⁺ of the token's id at the image tokens, e = Σ_j w_j·a_j of the text before it (words of the prompt, and the answer so far, the token's own
 * repetitions left out), w_j being the token's (logit)⁺ at text token j, normalised; a − s·e with the s that makes it smallest, and of that what is
 * positive.
 *
 * @param token index of an answer token
 * @returns one value for each image token
 */
export function tokenActivation({ ids, prompt, image, logits }: TokenLogits, token: number): Float64Array {
  const at = (place: number, id: number) => Math.max(logits[place * ids.length + id]!, 0);
  const own = prompt + token;
  const activation = Float64Array.from({ length: image }, (_, i) => at(i, own));
  const context = ids.flatMap((id, j) => (j < own && id !== ids[own] ? [{ j, relevance: at(image + j, own) }] : []));
  const total = context.reduce((sum, { relevance }) => sum + relevance, 0);
  if (total === 0) return activation;
  const interference = activation.map((_, i) =>
    context.reduce((sum, { j, relevance }) => sum + (relevance / total) * at(i, j), 0),
  );
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const size = dot(interference, interference);
  const scale = size === 0 ? 0 : dot(activation, interference) / size;
  return activation.map((value, i) => Math.max(value - scale * interference[i]!, 0));
}

/**
 * The paper's rank Gaussian filter: of each neighbourhood of side × side the values in order, weighed by a Gaussian around the middle rank whose width is
 * their standard deviation over their mean: the median where they agree, and nearly the mean where they do not. Edges are mirrored.
 */
export function rankGaussianFilter(map: ArrayLike<number>, rows: number, cols: number, side: number): Float64Array {
  const reach = Math.floor(side / 2);
  const mirrored = (i: number, count: number): number => {
    if (count === 1) return 0;
    const period = 2 * (count - 1);
    const within = ((i % period) + period) % period;
    return within < count ? within : period - within;
  };
  return Float64Array.from({ length: rows * cols }, (_, cell) => {
    const [row, col] = [Math.floor(cell / cols), cell % cols];
    const around = Array.from({ length: side * side }, (_value, k) => {
      const y = mirrored(row + Math.floor(k / side) - reach, rows);
      const x = mirrored(col + (k % side) - reach, cols);
      return map[y * cols + x]!;
    }).sort((a, b) => a - b);
    const mean = around.reduce((sum, value) => sum + value, 0) / around.length;
    if (mean <= 0) return 0;
    const variance = around.reduce((sum, value) => sum + (value - mean) ** 2, 0) / around.length;
    const spread = variance / mean ** 2;
    const middle = (around.length - 1) / 2;
    const weight = (rank: number) =>
      rank === middle ? 1 : spread === 0 ? 0 : Math.exp(-((rank - middle) ** 2) / (2 * spread));
    const total = around.reduce((sum, _value, rank) => sum + weight(rank), 0);
    return around.reduce((sum, value, rank) => sum + weight(rank) * value, 0) / total;
  });
}

/**
 * TAM, the token activation map: what the output projection makes of the last hidden state at each image token, for the answer token's own id. Several
 * tokens' maps are added. Needs no gradient: one forward evaluation.
 */
export const tam: AttributionMethod<TamOptions> = {
  name: 'tam',
  summary: 'Where the image tokens themselves speak of the word, less what the text before it explains. No gradient.',
  source: 'Li et al., ICCV 2025 (arXiv 2506.23270)',
  schema: z.strictObject({
    maskSize: z.int().min(2).max(128),
    filter: z
      .int()
      .min(1)
      .max(15)
      .refine((side) => side % 2 === 1, 'an odd number'),
  }),
  defaults: { maskSize: 32, filter: 3 },

  async attribute(scorer, weights, { maskSize, filter }, context) {
    throwIfAborted(context.signal);
    const report = stage('logits', 1, context);
    const logits = await scorer.internals.tokenLogits();
    report(1);
    const sum = new Float64Array(logits.image);
    weights.forEach((weight, token) => {
      if (weight !== 0) tokenActivation(logits, token).forEach((value, i) => (sum[i]! += weight * value));
    });
    const views = logits.grids.map((grid) => {
      const { rows, cols, cells, window } = grid;
      const map = rankGaussianFilter(
        cells.map((cell) => sum[cell]!),
        rows,
        cols,
        filter,
      );
      return { rows, cols, window, map };
    });
    return laidViews(views, maskSize);
  },
};
