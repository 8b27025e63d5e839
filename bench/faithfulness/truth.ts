import { cellColours } from '../../kernel/attribution/cell-colours.ts';
import { smoothed } from '../../kernel/attribution/smoothing.ts';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { ExplanationResult } from '../../kernel/index.ts';
import type { PixelMask } from '../../kernel/metrics/pointing-game.ts';
import { encodedMap } from '../../kernel/saliency-bytes.ts';
import { ruler } from './methods.ts';

/**
 * No method but a ruler: the places where the evidence is known to lie, as a map. Where deleting even these does not change an answer, no map can be
 * blamed for not changing it.
 */
export const TRUTH = ruler({
  name: 'the evidence itself',
  options: { cells: 32, smoothing: 1.5 },
  source: 'test/evidence',
});

const { cells, smoothing } = TRUTH.options as { cells: number; smoothing: number };

/** A map of the share of each cell that a region covers, smoothed so that what lies well inside comes first, as a map of `lens` is. */
export function truthMap({ width, height, data }: PixelMask): Mask {
  const [covered] = cellColours({ channels: 1, height, width, data: Float32Array.from(data) }, cells, cells);
  return smoothed({ rows: cells, cols: cells, data: covered! }, smoothing);
}

/** An explanation with another joint map. */
export function withMap(result: ExplanationResult, map: Mask): ExplanationResult {
  const { explanation, document } = result;
  const maps = explanation.maps.map((each) => (each.role === 'joint' ? { ...each, ...encodedMap(map) } : each));
  return new ExplanationResult(
    { ...document, explanations: [{ ...explanation, maps }] },
    { source: result.source!, modelName: result.modelName! },
  );
}
