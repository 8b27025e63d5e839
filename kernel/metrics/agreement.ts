import type { Mask } from '../attribution/scorer.ts';
import type { Agreement } from '../document.ts';
import { rankCorrelation } from './rank-correlation.ts';
import { topShareIou } from './top-share-iou.ts';

/** How much each pair of maps agrees; explanations without a map (null) are in no pair. */
export function agreements(maps: readonly (Mask | null)[]): Agreement[] {
  return maps.flatMap((one, a) =>
    maps
      .slice(a + 1)
      .flatMap((two, offset) =>
        one && two
          ? [{ a, b: a + 1 + offset, rankCorrelation: rankCorrelation(one, two), iouTop20: topShareIou(one, two, 0.2) }]
          : [],
      ),
  );
}
