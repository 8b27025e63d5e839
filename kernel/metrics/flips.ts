import { filledMask } from '../attribution/mask.ts';
import type { Mask } from '../attribution/scorer.ts';
import { topCells } from './top-share-iou.ts';

export interface Flips {
  /** Whether the answer is another one once the most salient cells are gone: for a faithful map it is. */
  readonly deleted: boolean;
  /** Whether the answer is another one when nothing but those cells is left: for a faithful map it is not. */
  readonly kept: boolean;
}

/**
 * Does the answer itself change? The model answers anew, from a picture without the most salient cells, and from one with nothing else. It
 * is independent of probabilities, and of what was optimised. Over several answers both are rates, 0 … 1: flips when deleted are better the more,
 * flips when kept the fewer.
 *
 * Source: the protocol of AnswerMap, which deletes 12.5 %.
 * @param map saliency
 * @param share of the cells that count as the most salient
 * @param answerOf the model's own answer to the question about the picture seen through a mask
 */
export async function flips(
  map: Mask,
  share: number,
  answer: string,
  answerOf: (mask: Mask) => Promise<string>,
): Promise<Flips> {
  const top = topCells(map, share);
  const through = (inside: 0 | 1): Mask => {
    const mask = filledMask(map.rows, map.cols, 1 - inside);
    for (const cell of top) mask.data[cell] = inside;
    return mask;
  };
  const differs = async (mask: Mask) => (await answerOf(mask)).trim() !== answer.trim();
  return { deleted: await differs(through(0)), kept: await differs(through(1)) };
}
