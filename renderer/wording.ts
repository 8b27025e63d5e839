/** The words and numbers in which results are told: the same in the view, on the card and in Markdown. */
import type {
  AnswerToken,
  Curve,
  Explanation,
  LensDocument,
  Metric,
  SaliencyMap,
  SelectionReason,
} from '../kernel/document.ts';

const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: false });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Three significant digits, with a real minus sign. */
export function figure(value: number): string {
  return short.format(Math.abs(value) < 1e-9 ? 0 : value).replace('-', '−');
}

/** Two decimals, so that figures in a column line up. */
export function fixed(value: number): string {
  return value
    .toFixed(2)
    .replace(/^-(0\.00)$/, '$1')
    .replace('-', '−');
}

/** A probability from its logarithm, as a percentage. */
export function percentage(logp: number): string {
  const percent = 100 * Math.exp(logp);
  return percent > 0 && percent < 0.1 ? '< 0.1 %' : `${figure(percent)} %`;
}

/** Milliseconds as people say them. */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${whole.format(milliseconds)} ms` : `${figure(milliseconds / 1000)} s`;
}

export const REASONS: Readonly<Record<SelectionReason, string>> = {
  visual: 'depends on the image',
  'below threshold': 'below the threshold',
  'stop word': 'stop word',
  punctuation: 'punctuation',
  chosen: 'chosen',
  'not chosen': 'not chosen',
};

/** A token as text that can be seen: blanks at its ends go, and what is only blank gets a sign. */
export function visibleToken(text: string): string {
  return text.trim() || text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replaceAll(' ', '␣') || '∅';
}

/** What a map is a map of. */
export function mapSubject({ role, tokens, label }: SaliencyMap): string {
  if (role === 'joint' && tokens.length > 1) return `the ${tokens.length} selected tokens together`;
  return `“${visibleToken(label)}”`;
}

/** One line on a token: how much it depends on the image, and why it was selected or not. */
export function tokenLine(token: AnswerToken): string {
  return (
    `LLR ${figure(token.llr)}: probability ${percentage(token.logp)} with the image, ` +
    `${percentage(token.logpBaseline)} without; ${REASONS[token.reason]}`
  );
}

/** One line on a segment: that of its token, or the sums over its tokens. */
export function segmentLine({ answer }: Explanation, { tokens, llr, logp, logpBaseline }: SegmentFigures): string {
  const [only] = tokens;
  if (tokens.length === 1) return tokenLine(answer.tokens[only!]!);
  const selected = tokens.filter((token) => answer.tokens[token]!.selected).length;
  return (
    `LLR ${figure(llr)} over ${tokens.length} tokens: probability ${percentage(logp)} with the image, ` +
    `${percentage(logpBaseline)} without; ${selected === 0 ? 'none' : selected} of them selected`
  );
}

/** What is said of a segment: its tokens and their sums. */
interface SegmentFigures {
  readonly tokens: readonly number[];
  readonly llr: number;
  readonly logp: number;
  readonly logpBaseline: number;
}

/** A value as a chip shows it: as many decimals as its scale can use, and no zero in front. */
export function placeValue(value: number, [low, high]: readonly [number, number]): string {
  const range = Math.max(Math.abs(low), Math.abs(high));
  const decimals = range > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(range) + 0.5), 0), 6) : 0;
  const text = value
    .toFixed(decimals)
    .replace(/^(-?)0\./, '$1.')
    .replace('-', '−');
  return /[1-9]/.test(text) ? text : '0';
}

/** The headline of an explanation whose answer owes nothing to the image. */
export const NO_DEPENDENCE = 'The answer does not depend on the image.';

/** Why it is said that an answer does not depend on the image. */
export function noDependenceReason({ answer }: Explanation): string {
  // Stop words and punctuation are left out whatever their ratio.
  const ratios = answer.tokens.filter(({ reason }) => reason === 'below threshold').map(({ llr }) => llr);
  const found = ratios.length > 0 ? ` The largest ratio is ${figure(Math.max(...ratios))}.` : '';
  return (
    `No word of its content becomes clearly less likely when the image is replaced by a baseline ` +
    `(log-likelihood ratio above ${figure(answer.threshold)}).${found} There is no heatmap to draw.`
  );
}

/** What is said where tokens were selected by an easier rule than the paper's, because by the paper's none was; else nothing. */
export function selectionNote({ answer, dependsOnImage, provenance: { parameters } }: Explanation): string {
  if (!dependsOnImage || parameters['thresholdAsked'] !== 'auto') return '';
  const reached = `No token reached the usual log-likelihood ratio of 1`;
  if (parameters['stopWords'] === true) {
    return `${reached.replace('No token', 'No other token')}, so that stop words are counted too, those above ${figure(answer.threshold)}.`;
  }
  if (answer.threshold >= 1) return '';
  return `${reached}, so those above ${figure(answer.threshold)} are counted: this answer is easily guessed without the image.`;
}

/** What stood in for the image where it was another baseline than the usual one, because with that no token was selected. */
export function baselineNote({ dependsOnImage, provenance: { parameters } }: Explanation): string {
  const { baseline, baselineAsked } = parameters;
  if (!dependsOnImage || baselineAsked !== 'auto' || typeof baseline !== 'string' || baseline === 'blur') return '';
  return `A blurred copy of the image made no difference; “${baseline}” stands in for the image instead.`;
}

/** What is said of a joint map whose hottest places were looked at, and none made a difference; else nothing. */
export function confirmationNote({ maps }: Explanation): string {
  if (!maps.some(({ role, confirmed }) => role === 'joint' && confirmed === false)) return '';
  return `Hiding or showing any of the map’s hottest places hardly changes how likely the answer is: nothing on this map is confirmed, and it may be noise.`;
}

/** What a reader must know of how this explanation was made, beside what is usual. */
export function notesOf(explanation: Explanation): readonly string[] {
  const notes = [
    confirmationNote(explanation),
    selectionNote(explanation),
    baselineNote(explanation),
    explanation.model.notice ?? '',
  ];
  return notes.filter((note) => note !== '');
}

/** The selected tokens, largest LLR first. */
export function selectedTokens({
  answer,
}: Explanation): readonly { readonly index: number; readonly token: AnswerToken }[] {
  return answer.tokens
    .map((token, index) => ({ token, index }))
    .filter(({ token }) => token.selected)
    .sort((a, b) => b.token.llr - a.token.llr);
}

const KIND_BETTER = { deletion: 'lower', insertion: 'higher' } as const;

/** The explanation's scores: its metrics, and those of its curves that no metric repeats. */
export function scores({ metrics, curves }: Pick<Explanation, 'metrics' | 'curves'>): readonly Metric[] {
  const alone = curves.filter(
    ({ kind, score }) => !metrics.some(({ name, value }) => name.startsWith(kind) && value === score),
  );
  const ofCurves = alone.map((curve) => ({
    name: curveName(curve, curves),
    value: curve.score,
    better: KIND_BETTER[curve.kind],
  }));
  return [...metrics, ...ofCurves];
}

/** 'deletion', with its baseline where several curves of one kind need telling apart. */
export function curveName(curve: Curve, among: readonly Curve[]): string {
  return among.filter(({ kind }) => kind === curve.kind).length > 1 ? `${curve.kind} (${curve.baseline})` : curve.kind;
}

/** A metric's interval, if it has one. */
export function intervalText({ interval }: Metric): string {
  return interval ? `${figure(interval[0])} to ${figure(interval[1])} (95 %)` : '';
}

/** A metric's value with its interval. */
export function metricValue(metric: Metric): string {
  return [figure(metric.value), intervalText(metric)].filter((part) => part !== '').join(', ');
}

/** The ratio at which a word's colour is full, where no word of the document has a larger one: e³ is twenty times as likely. */
export const FULL_COLOUR = 3;

/** The largest size of an LLR in the document, so that one scale of colour serves all of its tokens. */
export function largestRatio({ explanations }: LensDocument): number {
  const ratios = explanations.flatMap(({ answer }) => answer.tokens.map(({ llr }) => Math.abs(llr)));
  return ratios.reduce((a, b) => Math.max(a, b), FULL_COLOUR);
}

/** How an axis of comparison is called in a sentence. */
export const AXIS_TITLES = {
  models: 'Models compared',
  methods: 'Methods compared',
  images: 'Images compared',
  questions: 'Questions compared',
  answers: 'Answers compared',
} as const;

/** Whether the caller named the tokens to explain, instead of leaving it to their ratios. */
export const isChosen = ({ tokens }: Explanation['answer']): boolean =>
  tokens.some(({ reason }) => reason === 'chosen');

/** One line for the whole document. */
export function summary(document: LensDocument): string {
  if (document.kind === 'comparison') {
    const each = document.explanations.map(({ label, focus, correctness }) => {
      const known = [
        ...(correctness === undefined ? [] : [correctness.correct ? 'right' : 'wrong']),
        ...(focus === undefined ? [] : [`focus ${figure(100 * focus)} %`]),
      ];
      return known.length === 0 ? label : `${label} (${known.join(', ')})`;
    });
    return `${AXIS_TITLES[document.axis ?? 'answers']}: ${each.join(' | ')}`;
  }
  const [only] = document.explanations;
  if (!only) return 'Nothing to explain.';
  const answer = `${only.question} → ${only.answer.text}`;
  if (!only.dependsOnImage) return `${answer} (does not depend on the image)`;
  const words = selectedTokens(only).map(({ token }) => `${visibleToken(token.text)} ${figure(token.llr)}`);
  const results = scores(only).map(({ name, value }) => `${name} ${figure(value)}`);
  const lowered = selectionNote(only) === '' ? '' : `, by an easier rule than usual`;
  const depends = `${isChosen(only.answer) ? 'explained' : 'depends on the image'}: ${words.join(', ')}${lowered}`;
  return `${answer} (${[depends, ...(results.length > 0 ? [results.join(', ')] : [])].join('; ')})`;
}
