/** The explanation as Markdown: what a screen reader is given, and what hosts show that know neither our view nor pictures. */
import { cellAt, fieldOf, mainMap, tokenMap } from '../../renderer/saliency.ts';
import { encoderTable, findingsTable, rightness } from '../../renderer/tables.ts';
import type { TextTable } from '../../renderer/tables.ts';
import {
  AXIS_TITLES,
  NO_DEPENDENCE,
  REASONS,
  fixed,
  mapSubject,
  metricValue,
  noDependenceReason,
  isChosen,
  notesOf,
  percentage,
  scores,
  selectedTokens,
  visibleToken,
} from '../../renderer/wording.ts';
import type { DocumentImage, Explanation, LensDocument, SaliencyMap } from '../document.ts';

/**
 * Text as Markdown that shows just this text: on one line, with whatever Markdown, HTML, GitHub or a notebook's mathematics
 * would read as markup made harmless.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/\s+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_[\]|~$]|:(?=\/\/)/gu, (sign) => `\\${sign}`)
    .trim();
}

const cell = escapeMarkdown;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

const COLUMNS = ['left', 'centre', 'right'] as const;
const ROWS = ['top', 'middle', 'bottom'] as const;

/** The ninth of the image that a place lies in, in words. @param u, v 0 … 1 */
function ninth(u: number, v: number): string {
  const third = (share: number): 0 | 1 | 2 => Math.min(Math.floor(share * 3), 2) as 0 | 1 | 2;
  return `${ROWS[third(v)]} ${COLUMNS[third(u)]}`.replace('middle centre', 'centre');
}

/** Where a map is hottest, in words: 'top left (82 % across, 10 % down)'. */
export function hottestPlace(map: SaliencyMap): string {
  const field = fieldOf(map);
  const at = field.values.indexOf(field.max);
  const { u, v } = cellAt(field, {
    u: ((at % field.cols) + 0.5) / field.cols,
    v: (Math.floor(at / field.cols) + 0.5) / field.rows,
  });
  return `${ninth(u, v)} (${Math.round(100 * u)} % across, ${Math.round(100 * v)} % down)`;
}

/** Shares of heat below this are not worth a mention. */
const LEAST_SHARE = 0.1;
const MOST_SHARES = 4;

/** How a map's heat is spread over the nine ninths of the image: '41 % at the middle left, 22 % at the centre'. */
export function heatShares(map: SaliencyMap): string {
  const { values, rows, cols } = fieldOf(map);
  const sums = new Map<string, number>();
  let total = 0;
  for (const [at, value] of values.entries()) {
    const heat = Math.max(value, 0);
    const place = ninth(((at % cols) + 0.5) / cols, (Math.floor(at / cols) + 0.5) / rows);
    sums.set(place, (sums.get(place) ?? 0) + heat);
    total += heat;
  }
  const shares = [...sums].map(([place, heat]) => [place, total > 0 ? heat / total : 0] as const);
  const told = shares
    .filter(([, share]) => share >= LEAST_SHARE)
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST_SHARES);
  return told.map(([place, share]) => `${Math.round(100 * share)} % at the ${place}`).join(', ');
}

function answerTable(explanation: Explanation): string {
  const anyMap = explanation.maps.some(({ role }) => role === 'token');
  const rows = explanation.answer.tokens.map((token, index) => {
    const map = tokenMap(explanation, index);
    return [
      cell(visibleToken(token.text)),
      fixed(token.llr),
      percentage(token.logp),
      percentage(token.logpBaseline).replace('<', '&lt;'),
      token.selected ? `yes: ${REASONS[token.reason]}` : `no: ${REASONS[token.reason]}`,
      ...(anyMap ? [map ? hottestPlace(map) : ''] : []),
    ];
  });
  return table(
    ['token', 'LLR', 'probability with the image', 'without', 'selected', ...(anyMap ? ['hottest place'] : [])],
    rows,
  );
}

/** In one sentence: which tokens the image decides. */
function dependence(explanation: Explanation): string {
  const { answer, dependsOnImage } = explanation;
  if (!dependsOnImage) return `${NO_DEPENDENCE} ${noDependenceReason(explanation)}`;
  const selected = selectedTokens(explanation);
  const words = selected.map(({ token }) => `${cell(visibleToken(token.text))} (${fixed(token.llr)})`).join(', ');
  const [count, total] = [selected.length, answer.tokens.length];
  return isChosen(answer)
    ? `${count} of ${total} tokens ${count === 1 ? 'was' : 'were'} chosen to be explained; with their log-likelihood ratios (LLR): ${words}.`
    : `${count} of ${total} tokens ${count === 1 ? 'depends' : 'depend'} on the image; with their log-likelihood ratios (LLR): ${words}.`;
}

/** Where the heat lies, in words. */
function heat(explanation: Explanation): string {
  const main = mainMap(explanation);
  if (!main) return '';
  const shares = heatShares(main);
  return (
    `The heatmap for ${cell(mapSubject(main))} is hottest at the ${hottestPlace(main)}.` +
    (shares === '' ? '' : ` Of its heat lie ${shares}.`)
  );
}

const LLR_EXPLAINED =
  'The LLR says how much likelier the image makes a token than a stand-in for the image does: 1 means 2.7 times as likely, 0 no difference, ' +
  'less than 0 less likely.';

/** Whether the answer is right, in a few words after it. */
function rightAnswer(explanation: Explanation): string {
  const { correctness } = explanation;
  if (correctness === undefined) return '';
  const wanted = correctness.correct ? '' : `; acceptable: ${cell(correctness.references.join(' · '))}`;
  return ` (${rightness(explanation)}${wanted})`;
}

function textTable({ caption, header, rows, note }: TextTable): string {
  const written = rows.map((cells) => cells.map(cell));
  return [`**${cell(caption)}**`, table(header, written), cell(note)].filter((part) => part !== '').join('\n\n');
}

function explanationMarkdown(explanation: Explanation, image: DocumentImage, title: string | undefined): string {
  const { question, answer, model, provenance } = explanation;
  const results = scores(explanation);
  const encoders = encoderTable(explanation);
  const notes = notesOf(explanation);
  return [
    title === undefined ? '' : `**${cell(title)}**`,
    `Question: ${cell(question)}`,
    `Answer${answer.source === 'given' ? ' (given)' : ''}: **${cell(answer.text)}**${rightAnswer(explanation)}`,
    [dependence(explanation), ...notes.map(cell)].join(' '),
    heat(explanation),
    answer.tokens.length > 0 ? answerTable(explanation) : '',
    answer.tokens.length > 0 ? LLR_EXPLAINED : '',
    results.length > 0
      ? table(
          ['score', 'value', 'better'],
          results.map((metric) => [cell(metric.name), metricValue(metric), metric.better ?? '']),
        )
      : '',
    encoders ? textTable(encoders) : '',
    `Model ${cell(model.id)}, method ${cell(provenance.method)}, seed ${provenance.seed}; ` +
      `image ${image.name === undefined ? '' : `${cell(image.name)}, `}${image.sourceWidth} × ${image.sourceHeight} px.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** The whole document as Markdown: tables of tokens and scores, and the agreement of a comparison. */
export function markdown(document: LensDocument): string {
  const compared = document.kind === 'comparison';
  const parts = document.explanations.map((one) =>
    explanationMarkdown(one, document.images[one.image]!, compared ? one.label : undefined),
  );
  const label = (at: number): string => cell(document.explanations[at]?.label ?? String(at + 1));
  const agreement = document.agreement ?? [];
  return [
    ...(compared && document.axis ? [`${AXIS_TITLES[document.axis]}.`] : []),
    ...parts,
    ...(compared ? [textTable(findingsTable(document.explanations))] : []),
    ...(agreement.length > 0
      ? [
          table(
            ['between', 'and', 'rank correlation', 'overlap of the top 20 %', 'earth mover’s distance'],
            agreement.map(({ a, b, rankCorrelation, iouTop20, earthMovers }) => [
              label(a),
              label(b),
              fixed(rankCorrelation),
              fixed(iouTop20),
              earthMovers === undefined ? '' : fixed(earthMovers),
            ]),
          ),
        ]
      : []),
  ].join('\n\n');
}
