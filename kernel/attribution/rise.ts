import { z } from 'zod';
import { seededRandom } from '../image/random.ts';
import { bilinear } from './bilinear.ts';
import type { AttributionMethod } from './method.ts';
import { noiseSeed } from './noise-seed.ts';
import { probe } from './probe.ts';
import type { Mask } from './scorer.ts';

export interface RiseOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Random masks. */
  readonly samples: number;
  /** Rows and columns of the random grids that are enlarged to masks. */
  readonly grid: number;
  /** Share of the grid's cells that are kept. */
  readonly kept: number;
}

/** Apart from the seeds of noise. */
const GRID_SEED = 0x215e;

/**
 * RISE: the image is shown through random soft masks; a cell's saliency is the mean probability of the answer where it was shown less the
 * mean over all masks (which is what makes the weighting unbiased for a small number of masks). The probability is exp of the weighted
 * mean of log p. Needs no gradient: `samples` forward evaluations.
 */
export const rise: AttributionMethod<RiseOptions> = {
  name: 'rise',
  summary: 'The image through many random masks; what was visible when the answer was likely matters. No gradient.',
  source: 'Petsiuk, Das, Saenko, BMVC 2018 (arXiv 1806.07421)',
  schema: z.strictObject({
    maskSize: z.int().min(2).max(128),
    samples: z.int().min(2).max(20000),
    grid: z.int().min(2).max(64),
    kept: z.number().positive().lt(1),
  }),
  defaults: { maskSize: 32, samples: 256, grid: 8, kept: 0.5 },

  async attribute(scorer, weights, { maskSize, samples, grid, kept }, context) {
    const random = seededRandom(noiseSeed(context.seed, GRID_SEED));
    const masks = Array.from({ length: samples }, (): Mask => {
      const coarse = Float32Array.from({ length: (grid + 1) ** 2 }, () => Number(random.uniform() < kept));
      // Shifted by a random part of a grid cell, so that no edge lies in the same place each time.
      const [x, y] = [random.uniform() / (grid + 1), random.uniform() / (grid + 1)];
      const share = grid / (grid + 1);
      const { up } = bilinear(grid + 1, grid + 1, maskSize, maskSize, [x, y, x + share, y + share]);
      return { rows: maskSize, cols: maskSize, data: up(coarse) };
    });
    const scores = await probe(scorer, weights, masks, context);
    const likely = scores.map(Math.exp);
    const mean = likely.reduce((sum, p) => sum + p, 0) / samples;
    const sum = new Float32Array(maskSize ** 2);
    const shown = new Float32Array(maskSize ** 2);
    masks.forEach(({ data }, i) => {
      data.forEach((m, cell) => {
        sum[cell]! += m * (likely[i]! - mean);
        shown[cell]! += m;
      });
    });
    const data = sum.map((value, cell) => (shown[cell]! > 0 ? Math.max(value / shown[cell]!, 0) : 0));
    return { rows: maskSize, cols: maskSize, data };
  },
};
