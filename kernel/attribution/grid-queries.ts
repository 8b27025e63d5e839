import { z } from 'zod';
import { bilinear } from './bilinear.ts';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { probe } from './probe.ts';
import type { Mask } from './scorer.ts';

export interface GridQueriesOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Rows and columns of the grid; each of its cells is one query. */
  readonly grid: number;
}

/**
 * A handful of black-box queries on a grid: each hides one cell of a 4 × 4 grid, and the loss of score is that cell's saliency, enlarged
 * bilinearly. What an API without gradients allows: grid² + 1 forward evaluations.
 */
export const gridQueries: AttributionMethod<GridQueriesOptions> = {
  name: 'grid-queries',
  summary: '16 questions with one cell of a 4 × 4 grid hidden in each: the cheapest view from outside. No gradient.',
  source: 'the black-box protocol of AnswerMap: 16 queries on a grid',
  schema: z.strictObject({ maskSize: z.int().min(2).max(128), grid: z.int().min(2).max(32) }),
  defaults: { maskSize: 32, grid: 4 },

  async attribute(scorer, weights, { maskSize, grid }, context) {
    const whole = filledMask(maskSize, maskSize, 1);
    const cellOf = (i: number) => Math.floor((i * grid) / maskSize);
    const hidden = Array.from({ length: grid * grid }, (_, query): Mask => ({
      ...whole,
      data: whole.data.map((_m, cell) =>
        cellOf(Math.floor(cell / maskSize)) * grid + cellOf(cell % maskSize) === query ? 0 : 1,
      ),
    }));
    const [seen, ...scores] = await probe(scorer, weights, [whole, ...hidden], context);
    const losses = Float32Array.from(scores, (score) => Math.max(seen! - score, 0));
    return { ...whole, data: bilinear(grid, grid, maskSize, maskSize).up(losses) };
  },
};
