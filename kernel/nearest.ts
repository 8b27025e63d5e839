import { distance } from 'fastest-levenshtein';

/** The known name that a misspelt one most likely means, or undefined where none is alike: at most a third of it differs. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  const [best] = known
    .map((candidate) => ({ candidate, edits: distance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  return best && best.edits <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

/** What to do about an unknown name: the nearest known one, if any, and the list of all. */
export function didYouMean(name: string, known: readonly string[], what: string): string {
  const guess = nearest(name, known);
  return `${guess === undefined ? '' : `Did you mean "${guess}"? `}Known ${what}: ${known.join(', ')}`;
}
