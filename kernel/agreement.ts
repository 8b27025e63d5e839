import type { Agreement } from './document.ts';
import { LensError } from './errors.ts';
import { agreements } from './metrics/agreement.ts';
import type { ExplanationResult } from './results.ts';

/**
 * How much the joint maps of two explanations agree: rank correlation, overlap of the top 20 %, earth mover's distance.
 * @returns null where one of the answers does not depend on the image and has no map
 * @throws LensError for what is no explanation
 */
export function agreement(one: ExplanationResult, two: ExplanationResult): Agreement | null {
  const maps = [one, two].map((each) => {
    if (typeof each?.document !== 'object') {
      throw new LensError('agreement() takes two explanations', 'Give what explain() returned');
    }
    const { width, height } = each.document.images[0]!;
    return each.map ? { ...each.map, aspect: width / height } : null;
  });
  return agreements(maps)[0] ?? null;
}
