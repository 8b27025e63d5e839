import { eng } from 'stopword';

/**
 * Words of the list that say what a picture shows: where things are, how many, whether alike. A search engine may drop them;
 * here the log-likelihood ratio decides.
 */
const VISUAL = ['before', 'between', 'both', 'many', 'more', 'most', 'much', 'over', 'same', 'through', 'under', 'up'];

const STOP_WORDS: ReadonlySet<string> = new Set(eng.filter((word) => !VISUAL.includes(word)));

/** Whether an English word carries no content of its own ('the', 'is', 'and'). Case does not matter. */
export function isStopWord(word: string): boolean {
  return STOP_WORDS.has(word.toLowerCase());
}

/** Whether a piece of text is punctuation or white space alone. */
export function isPunctuation(text: string): boolean {
  return /^[\p{P}\s]*$/u.test(text);
}
