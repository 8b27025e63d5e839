import { filledMask } from '../attribution/mask.ts';
import type { BaselineName, Mask, Scorer } from '../attribution/scorer.ts';
import { topCells } from './top-share-iou.ts';

/** What one of several encoders gives to an answer: falls of Σ log p of the explained tokens (natural logarithm). */
export interface Contribution {
  readonly encoder: string;
  /**
   * Its Shapley value: how much it adds, on average over all orders in which encoders could be given the image. Those of all encoders add up
   * to the fall when the whole image is removed from all.
   */
  readonly contribution: number;
  /** The fall when the whole image is removed from this encoder's view alone: what the others cannot make good. */
  readonly drop: number;
  /** The fall when the most salient cells are removed from this encoder's view alone. */
  readonly dropTop: number;
}

export interface ContributionOptions {
  readonly baseline: BaselineName;
  /** Share of the map's cells that count as the most salient. */
  readonly share: number;
}

/**
 * How much each of several encoders contributes to some tokens of an answer: the mask is seen through some encoders alone, and the others
 * see the whole image. Takes 2ⁿ + n forward evaluations.
 * @param map saliency
 */
export async function encoderContributions(
  scorer: Pick<Scorer, 'logp'>,
  encoders: readonly string[],
  map: Mask,
  tokens: readonly number[],
  { baseline, share }: ContributionOptions,
): Promise<Contribution[]> {
  const { rows, cols } = map;
  const top = filledMask(rows, cols, 1);
  for (const cell of topCells(map, share)) top.data[cell] = 0;
  const everyone = (1 << encoders.length) - 1;
  // Bit i of a coalition: encoder i sees the image.
  const coalitions = Array.from({ length: everyone + 1 }, (_, coalition) => coalition);
  const logp = await scorer.logp([
    ...coalitions.map((coalition) => ({
      mask: filledMask(rows, cols, 0),
      baseline,
      encoders: encoders.filter((_, i) => (coalition & (1 << i)) === 0),
    })),
    ...encoders.map((encoder) => ({ mask: top, baseline, encoders: [encoder] })),
  ]);
  const worth = logp.map((each) => tokens.reduce((sum, token) => sum + each[token]!, 0));
  return encoders.map((encoder, i) => {
    const without = coalitions.filter((coalition) => (coalition & (1 << i)) === 0);
    return {
      encoder,
      contribution: without.reduce(
        (sum, coalition) =>
          sum + orders(coalition, encoders.length) * (worth[coalition | (1 << i)]! - worth[coalition]!),
        0,
      ),
      drop: worth[everyone]! - worth[everyone & ~(1 << i)]!,
      dropTop: worth[everyone]! - worth[coalitions.length + i]!,
    };
  });
}

/** The share of all orders of n encoders in which exactly this coalition comes before one that is not in it: |C|! (n − |C| − 1)! / n! */
function orders(coalition: number, n: number): number {
  const size = [...coalition.toString(2)].filter((bit) => bit === '1').length;
  let share = 1 / n;
  // 1 / (n · C(n − 1, |C|))
  for (let k = 1; k <= size; k++) share *= k / (n - k);
  return share;
}
