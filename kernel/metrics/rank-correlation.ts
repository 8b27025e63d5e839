import { sampleRankCorrelation } from 'simple-statistics';
import { resampled } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';

/**
 * Spearman's rank correlation of two maps' cells, −1 … 1; ties share their mean rank. The second map is resampled to the
 * first one's grid where they differ. A map without any differences agrees with nothing: 0.
 */
export function rankCorrelation(a: Mask, b: Mask): number {
  const correlation = sampleRankCorrelation([...a.data], [...resampled(b, a.rows, a.cols).data]);
  // Rounding can carry it beyond 1.
  return Number.isFinite(correlation) ? Math.min(Math.max(correlation, -1), 1) : 0;
}
