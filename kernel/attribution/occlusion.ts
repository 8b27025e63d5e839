import { z } from 'zod';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { probe } from './probe.ts';
import type { Mask } from './scorer.ts';

export interface OcclusionOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** Side of the square that is hidden, in cells, and how far it moves each time. */
  readonly patch: number;
  readonly stride: number;
}

/** Where a window of `patch` cells begins so that every cell is covered, the last one flush with the edge. */
function starts(cells: number, patch: number, stride: number): number[] {
  const last = cells - patch;
  const regular = Array.from({ length: Math.floor(last / stride) + 1 }, (_, i) => i * stride);
  return regular.at(-1) === last ? regular : [...regular, last];
}

/**
 * Occlusion: a square of the baseline slides over the image; a cell's saliency is the mean loss of score over the squares that hide it.
 * Gains count as none. Needs no gradient: (about) (maskSize/stride)² forward evaluations.
 */
export const occlusion: AttributionMethod<OcclusionOptions> = {
  name: 'occlusion',
  summary: 'A square slides over the image; what costs the answer most when hidden matters most. No gradient.',
  source: 'Zeiler, Fergus, ECCV 2014 (arXiv 1311.2901)',
  schema: z.strictObject({
    maskSize: z.int().min(2).max(128),
    patch: z.int().min(1).max(128),
    stride: z.int().min(1).max(128),
  }),
  defaults: { maskSize: 32, patch: 6, stride: 3 },

  async attribute(scorer, weights, { maskSize, patch: asked, stride }, context) {
    const patch = Math.min(asked, maskSize);
    const at = starts(maskSize, patch, Math.min(stride, patch));
    const whole = filledMask(maskSize, maskSize, 1);
    const windows = at.flatMap((top) => at.map((left) => ({ top, left })));
    const cells = ({ top, left }: { top: number; left: number }) =>
      Array.from({ length: patch * patch }, (_, i) => (top + Math.floor(i / patch)) * maskSize + left + (i % patch));
    const hidden = windows.map((window): Mask => {
      const data = whole.data.slice();
      for (const cell of cells(window)) data[cell] = 0;
      return { ...whole, data };
    });
    const [seen, ...scores] = await probe(scorer, weights, [whole, ...hidden], context);
    const loss = new Float32Array(whole.data.length);
    const covered = new Float32Array(whole.data.length);
    windows.forEach((window, i) => {
      for (const cell of cells(window)) {
        loss[cell]! += seen! - scores[i]!;
        covered[cell]!++;
      }
    });
    return { ...whole, data: loss.map((value, cell) => Math.max(value / covered[cell]!, 0)) };
  },
};
