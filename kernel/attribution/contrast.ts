import { mapMask } from './mask.ts';
import type { Mask } from './scorer.ts';

/**
 * Share of the contrasted map that is the root of the map. The curve alone brings what is faint so close to 0 that the byte in which a document stores a
 * cell makes it all the same, and the order of half a picture would be that of reading.
 */
const FAINT = 0.1;

/**
 * A map with its middle spread out: with s a cell's share of the greatest value, `0.9·s²/(s² + knee²)·(1 + knee²) + 0.1·√s`. What is far below the knee fades
 * and what is above it comes close to 1, as a threshold would have it, but the order of the cells stays, and with it everything that depends on
 * the order alone: deletion, insertion, where the maximum lies.
 * @param map not negative
 * @param knee the share that becomes about one half; 0 leaves the map as it is
 * @returns values of 0 … 1
 */
export function contrasted(map: Mask, knee: number): Mask {
  const most = map.data.reduce((max, value) => Math.max(max, value), 0);
  if (knee === 0 || most === 0) return map;
  return mapMask(map, (value) => {
    const share = value / most;
    const spread = (share ** 2 * (1 + knee ** 2)) / (share ** 2 + knee ** 2);
    return (1 - FAINT) * spread + FAINT * Math.sqrt(share);
  });
}
