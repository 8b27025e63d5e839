import { z } from 'zod';
import { filledMask } from './mask.ts';
import type { AttributionMethod } from './method.ts';
import { probe } from './probe.ts';
import type { Mask } from './scorer.ts';
import { superpixels } from './superpixels.ts';

export interface SuperpixelSearchOptions {
  /** Rows and columns of the map. */
  readonly maskSize: number;
  /** About how many regions the image is cut into. */
  readonly regions: number;
  /** How many regions are searched for, one after the other; the others get no heat. */
  readonly chosen: number;
}

const DEFAULTS: Readonly<SuperpixelSearchOptions> = { maskSize: 32, regions: 36, chosen: 12 };

/**
 * Greedy search over superpixels: each round adds the region r for which `p(only S ∪ r) + 1 − p(all but S ∪ r)` is greatest, that is, which
 * best brings the answer back (insight) and whose absence best takes it away (necessity); p is exp of the weighted mean of log p. A region's
 * saliency is what it added. Needs no gradient, but many evaluations: two for each region left in each round.
 */
export const superpixelSearch: AttributionMethod<SuperpixelSearchOptions> = {
  name: 'superpixel-search',
  summary:
    'Greedy search for the image regions that bring the answer back and whose absence takes it away. No gradient, slow.',
  source: 'the objective of EAGLE (arXiv 2509.22496)',
  schema: z.strictObject({
    maskSize: z.int().min(2).max(128),
    regions: z.int().min(2).max(1024),
    chosen: z.int().min(1).max(1024),
  }),
  defaults: DEFAULTS,
  presets: { paper: { ...DEFAULTS, regions: 64, chosen: 64 } },

  async attribute(scorer, weights, { maskSize, regions, chosen: most }, context) {
    const regionOf = superpixels(scorer.image, maskSize, maskSize, regions);
    const count = Math.max(...regionOf) + 1;
    const showing = (set: ReadonlySet<number>, inside: 0 | 1): Mask => {
      const mask = filledMask(maskSize, maskSize, 1 - inside);
      return { ...mask, data: mask.data.map((m, cell) => (set.has(regionOf[cell]!) ? inside : m)) };
    };
    const value = (inserted: number, deleted: number) => Math.exp(inserted) + 1 - Math.exp(deleted);
    const valuesOf = async (sets: readonly ReadonlySet<number>[], name: string) => {
      const masks = sets.flatMap((set) => [showing(set, 1), showing(set, 0)]);
      const scores = await probe(scorer, weights, masks, context, name);
      return sets.map((_set, i) => value(scores[2 * i]!, scores[2 * i + 1]!));
    };

    const order: number[] = [];
    const gains: number[] = [];
    const rounds = Math.min(most, count);
    let [reached] = (await valuesOf([new Set()], 'nothing')) as [number];
    for (let round = 0; round < rounds; round++) {
      const left = Array.from({ length: count }, (_, r) => r).filter((r) => !order.includes(r));
      const values = await valuesOf(
        left.map((r) => new Set([...order, r])),
        `round ${round + 1} of ${rounds}`,
      );
      const best = values.indexOf(Math.max(...values));
      order.push(left[best]!);
      gains.push(values[best]! - reached);
      reached = values[best]!;
    }
    // A region counts as much as the greatest gain that was still to come: never less than one that was added after it.
    const heat = gains.map((_gain, i) => Math.max(0, ...gains.slice(i)) + (1e-3 * (rounds - i)) / rounds);
    const rank = new Map(order.map((region, i) => [region, i]));
    return {
      ...filledMask(maskSize, maskSize, 0),
      data: Float32Array.from(regionOf, (region) => heat[rank.get(region) ?? rounds] ?? 0),
    };
  },
};
