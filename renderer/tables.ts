/** What is told in tables: the same in the view and in Markdown. */
import type { EncoderContribution, Explanation } from '../kernel/document.ts';
import { figure, selectedTokens, visibleToken } from './wording.ts';

export interface TextTable {
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of figures, by their place. */
  readonly numeric: ReadonlySet<number>;
  /** What the columns mean. */
  readonly note: string;
}

/** 'right', 'wrong', or nothing where nobody said what is. */
export function rightness({ correctness }: Pick<Explanation, 'correctness'>): string {
  return correctness === undefined ? '' : correctness.correct ? 'right' : 'wrong';
}

/** A share of something: '12 %'. */
export const percent = (share: number): string => `${figure(100 * share)} %`;

/** The words that depend on the image, in the order of the answer, with their ratios. */
function visualWords(explanation: Explanation): string {
  const words = [...selectedTokens(explanation)].sort((a, b) => a.index - b.index);
  return words.map(({ token }) => `${visibleToken(token.text)} ${figure(token.llr)}`).join(', ') || 'none';
}

/** What each explanation of a comparison found: its answer, whether that is right, which words are visual, how small its focus is. */
export function findingsTable(explanations: readonly Explanation[]): TextTable {
  const judged = explanations.some(({ correctness }) => correctness !== undefined);
  const focused = explanations.some(({ focus }) => focus !== undefined);
  const header = ['', 'answer', ...(judged ? ['reference'] : []), 'words that depend on the image, LLR'];
  return {
    caption: 'Answers and what they rest on',
    header: [...header, ...(focused ? ['focus'] : [])],
    rows: explanations.map((one) => [
      one.label,
      one.answer.text,
      ...(judged ? [rightness(one)] : []),
      visualWords(one),
      ...(focused ? [one.focus === undefined ? '' : percent(one.focus)] : []),
    ]),
    numeric: new Set(focused ? [header.length] : []),
    note: [
      ...(focused
        ? ['Focus: the smallest part of the image that holds half of the heat; 50 % is heat spread evenly.']
        : []),
      ...(judged ? ['Right: an acceptable answer, case, punctuation, articles and number words aside.'] : []),
    ].join(' '),
  };
}

/** What part of the whole each encoder contributes; undefined where the image as a whole makes nothing likelier. */
export function contributionShares(encoders: readonly EncoderContribution[]): readonly number[] | undefined {
  const whole = encoders.reduce((sum, { contribution }) => sum + contribution, 0);
  return whole > 0 ? encoders.map(({ contribution }) => contribution / whole) : undefined;
}

/** What each encoder contributed, of a model with several. */
export function encoderTable({ encoders = [] }: Explanation): TextTable | undefined {
  if (encoders.length === 0) return undefined;
  const shares = contributionShares(encoders);
  return {
    caption: 'What each encoder contributed',
    header: ['encoder', 'sees', 'share', 'fall without it', 'without its top 12.5 %'],
    rows: encoders.map(({ name, width, height, drop, dropTop }, at) => [
      name,
      `${width} × ${height} px`,
      shares ? percent(shares[at]!) : '–',
      figure(drop),
      figure(dropTop),
    ]),
    numeric: new Set([2, 3, 4]),
    note:
      'The mask is seen through one encoder alone, and the others see the whole image. Falls of the selected tokens’ log-likelihood; ' +
      'the share is the encoder’s Shapley value.',
  };
}

/** The same in a line. */
export function encoderLine({ encoders = [] }: Explanation): string {
  const shares = contributionShares(encoders);
  if (!shares) return '';
  return `Encoders: ${encoders.map(({ name }, at) => `${name} ${percent(shares[at]!)}`).join(', ')}`;
}
