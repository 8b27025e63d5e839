import { mapMask } from './mask.ts';
import type { Mask } from './scorer.ts';

/**
 * A map with its middle spread out: with s a cell's share of the greatest value, `s²/(s² + knee²)·(1 + knee²)`. What is far below the knee fades and what
 * is above it comes close to 1, as a threshold would have it, but the order of the cells stays, and with it everything that depends on the
 * order alone: deletion, insertion, where the maximum lies.
 * @param map not negative
 * @param knee the share that becomes about one half; 0 leaves the map as it is
 * @returns values of 0 … 1
 */
export function contrasted(map: Mask, knee: number): Mask {
  const most = map.data.reduce((max, value) => Math.max(max, value), 0);
  if (knee === 0 || most === 0) return map;
  return mapMask(map, (value) => {
    const share = (value / most) ** 2;
    return (share * (1 + knee ** 2)) / (share + knee ** 2);
  });
}
