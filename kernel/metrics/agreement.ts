import type { Mask } from '../attribution/scorer.ts';
import type { Agreement } from '../document.ts';
import { earthMoversDistance } from './earth-movers-distance.ts';
import { rankCorrelation } from './rank-correlation.ts';
import { topShareIou } from './top-share-iou.ts';

/** A map, and the width of its image by the height. */
export interface PlacedMap extends Mask {
  readonly aspect?: number;
}

/** How much each pair of maps agrees; explanations without a map (null) are in no pair. */
export function agreements(maps: readonly (PlacedMap | null)[]): Agreement[] {
  return maps.flatMap((one, a) =>
    maps.slice(a + 1).flatMap((two, offset) => (one && two ? [agreementOf(one, two, a, a + 1 + offset)] : [])),
  );
}

function agreementOf(one: PlacedMap, two: PlacedMap, a: number, b: number): Agreement {
  const earthMovers = earthMoversDistance(one, two, one.aspect);
  return {
    ...{ a, b },
    rankCorrelation: rankCorrelation(one, two),
    iouTop20: topShareIou(one, two, 0.2),
    ...(earthMovers !== null && { earthMovers }),
  };
}
