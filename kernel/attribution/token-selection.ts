import { LensError } from '../errors.ts';
import type { AnswerToken, SelectionReason } from '../document.ts';
import type { TokenisedText, TokenSpan } from '../model/loaded-model.ts';
import { isPunctuation, isStopWord } from './stop-words.ts';

/** Which tokens to explain: the visually relevant ones, all, or those named by index or by text. */
export type TokenChoice = 'visual' | 'all' | readonly number[] | readonly string[];

/** What makes a token visually relevant. */
export interface SelectionRule {
  /** α: the log-likelihood ratio above which a token counts as visually relevant. */
  readonly threshold: number;
  /** Whether stop words count too. */
  readonly stopWords: boolean;
}

export interface SelectionOptions extends SelectionRule {
  readonly tokens: TokenChoice;
}

/** α of the paper. */
export const PAPER_THRESHOLD = 1.0;

/**
 * The rules to try in turn where the caller gives no threshold: the paper's, and two for answers in which it finds nothing although they
 * rest on the image. A "yes" that is as likely as "no" without the image cannot have an LLR above log 2: so next, tokens that the
 * image makes a tenth more likely. And in "There is one dog." it is the stop word "is" that says how many.
 */
export const AUTO_RULES: readonly SelectionRule[] = [
  { threshold: PAPER_THRESHOLD, stopWords: false },
  { threshold: 0.1, stopWords: false },
  { threshold: PAPER_THRESHOLD, stopWords: true },
];

/** The LLR that is enough for an answer of one token: p_baseline ≤ 0.5 · p. */
const ONE_TOKEN_THRESHOLD = Math.log(2);

/**
 * The visually relevant tokens of an answer (arXiv 2503.13891, section 3): those with
 * `LLR_t = log p(y_t | image) − log p(y_t | baseline) > α`, teacher-forced, that are neither stop words nor punctuation.
 * A token is judged by its text and by the word it is a part of, never by its id: 're' of 'there' is a stop word, 're' of
 * 'red' is not. An answer of one token is its own evidence: it may be a stop word, and counts already where the baseline makes it at
 * most half as likely.
 *
 * @param logp log p of each token with the image
 * @param logpBaseline the same with the baseline
 * @throws LensError where the caller names a token that the answer has not
 */
export function selection(
  answer: TokenisedText,
  logp: Float32Array,
  logpBaseline: Float32Array,
  { threshold, stopWords, tokens }: SelectionOptions,
): AnswerToken[] {
  const chosen = tokens === 'visual' ? undefined : namedTokens(answer, tokens);
  const words = wordsOf(answer.text);
  return answer.tokens.map((token, t) => {
    const llr = logp[t]! - logpBaseline[t]!;
    const reason = chosen
      ? chosen.has(t)
        ? 'chosen'
        : 'not chosen'
      : answer.tokens.length === 1
        ? visible(llr >= Math.min(threshold, ONE_TOKEN_THRESHOLD))
        : (wordless(token, words, stopWords) ?? visible(llr > threshold));
    const { text, start, end } = token;
    const selected = reason === 'visual' || reason === 'chosen';
    return { text, start, end, logp: logp[t]!, logpBaseline: logpBaseline[t]!, llr, selected, reason };
  });
}

const visible = (yes: boolean): SelectionReason => (yes ? 'visual' : 'below threshold');

interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The words of a text with their spans, without what lies between them. */
function wordsOf(text: string): Word[] {
  const segments = new Intl.Segmenter('en', { granularity: 'word' }).segment(text);
  return [...segments]
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment, index }) => ({ text: segment, start: index, end: index + segment.length }));
}

/** Why a token says nothing of its own, if so. */
function wordless(
  token: TokenSpan,
  words: readonly Word[],
  stopWords: boolean,
): 'punctuation' | 'stop word' | undefined {
  if (token.text !== '' && isPunctuation(token.text)) return 'punctuation';
  if (stopWords) return undefined;
  // A token that holds a part of a character has an empty span, at the word that it will be part of.
  const end = Math.max(token.end, token.start + 1);
  const touched = words.filter((word) => word.start < end && word.end > token.start);
  return touched.length > 0 && touched.every((word) => isStopWord(word.text)) ? 'stop word' : undefined;
}

/** The indexes that the caller means. */
function namedTokens(answer: TokenisedText, tokens: Exclude<TokenChoice, 'visual'>): ReadonlySet<number> {
  const count = answer.tokens.length;
  if (tokens === 'all') return new Set(answer.tokens.keys());
  const named = tokens.flatMap((token) => (typeof token === 'string' ? tokensWithin(answer, token) : [token]));
  const unknown = named.find((index) => index >= count);
  if (unknown !== undefined) {
    const range = count === 1 ? 'Its only token is 0' : `Its tokens are 0 to ${count - 1}`;
    throw new LensError(`the answer "${answer.text}" has no token ${unknown}`, range);
  }
  return new Set(named);
}

/** The tokens of every occurrence of some words in the answer, whatever their case. */
function tokensWithin({ text, tokens }: TokenisedText, wanted: string): number[] {
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])${escaped(wanted.trim())}(?![\\p{L}\\p{N}])`, 'giu');
  const spans = [...text.matchAll(pattern)].map(({ index, 0: { length } }) => ({ start: index, end: index + length }));
  if (wanted.trim() === '' || spans.length === 0) {
    const words = [...new Set(wordsOf(text).map((word) => word.text))];
    throw new LensError(`the answer "${text}" does not contain "${wanted}"`, `Its words are: ${words.join(', ')}`);
  }
  return [...tokens.keys()].filter((t) =>
    spans.some(({ start, end }) => tokens[t]!.start < end && tokens[t]!.end > start),
  );
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
