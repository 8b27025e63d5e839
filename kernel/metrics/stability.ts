import { bilinear } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';
import { rankCorrelation } from './rank-correlation.ts';

/**
 * How much of a map is left when what should not matter changes: Spearman's rank correlation with the map made again, −1 … 1, higher is better.
 *
 * - Another seed: a map that depends on its noise shows the noise. A method without randomness has 1.
 * - The picture moved by one pixel: what is shown moves with it, so the second map is moved back before it is compared.
 *
 * Source: Alvarez-Melis and Jaakkola, "On the Robustness of Interpretability Methods", ICML workshops 2018 (arXiv 1806.08049); Kindermans et al.,
 * "The (Un)reliability of saliency methods" (arXiv 1711.00867).
 *
 * @param moved by how much the second picture was moved to the right and down, as shares of its width and height
 */
export function stability(map: Mask, again: Mask, [right, down]: readonly [number, number] = [0, 0]): number {
  return rankCorrelation(map, right === 0 && down === 0 ? again : movedBack(again, right, down));
}

function movedBack({ rows, cols, data }: Mask, right: number, down: number): Mask {
  return { rows, cols, data: bilinear(rows, cols, rows, cols, [right, down, 1 + right, 1 + down]).up(data) };
}

/**
 * How much a map resembles that of the same model with its weights shuffled: the absolute rank correlation, 0 … 1, lower is better. A map that
 * survives says nothing of what the model has learnt, however well it looks: it is an edge detector.
 *
 * Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018 (arXiv 1810.03292), model parameter randomisation.
 */
export function untrainedLikeness(map: Mask, untrained: Mask): number {
  return Math.abs(rankCorrelation(map, untrained));
}
