import { z } from 'zod';
import { density, laidViews } from './laid-views.ts';
import type { AttributionMethod } from './method.ts';
import { stage, throwIfAborted } from './progress.ts';

export interface RawAttentionOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** The mean of all decoder layers, or the last one alone. */
  readonly layers: 'all' | 'last';
}

/**
 * Raw attention: how much the decoder attends to each image token where it predicts the answer's tokens, the mean over heads and layers. What it
 * shows is what could flow, not what the answer rests on. Needs no gradient: one forward evaluation.
 */
export const rawAttention: AttributionMethod<RawAttentionOptions> = {
  name: 'raw-attention',
  summary: 'How much the decoder attends to each image token where it predicts the answer. No gradient.',
  source:
    'Bahdanau, Cho, Bengio, ICLR 2015 (arXiv 1409.0473); for vision-language models LVLM-Interpret (arXiv 2404.03118)',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128), layers: z.enum(['all', 'last']) }),
  defaults: { maskSize: 32, layers: 'all' },

  async attribute(scorer, weights, { maskSize, layers: asked }, context) {
    throwIfAborted(context.signal);
    const report = stage('attention', 1, context);
    const { layers, grids } = await scorer.internals.answerAttention();
    report(1);
    const chosen = asked === 'last' ? layers.slice(-1) : layers;
    const tokens = chosen[0]!.length / weights.length;
    const attended = new Float64Array(tokens);
    for (const layer of chosen) {
      layer.forEach(
        (value, i) => (attended[i % tokens]! += (weights[Math.floor(i / tokens)]! * value) / chosen.length),
      );
    }
    return laidViews(
      grids.map((grid) => density(grid, (cell) => attended[grid.cells[cell]!]!)),
      maskSize,
    );
  },
};
