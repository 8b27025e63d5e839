/** The explanation as Markdown: what a screen reader is given, and what hosts show that know neither our view nor pictures. */
import { cellAt, fieldOf, mainMap, tokenMap } from '../../renderer/saliency.ts';
import {
  AXIS_TITLES,
  NO_DEPENDENCE,
  REASONS,
  figure,
  fixed,
  mapSubject,
  metricValue,
  noDependenceReason,
  percentage,
  scores,
  visibleToken,
} from '../../renderer/wording.ts';
import type { Explanation, LensDocument, SaliencyMap } from '../document.ts';

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

/** Where a map is hottest, in words: 'top left (82 % across, 10 % down)'. */
export function hottestPlace(map: SaliencyMap): string {
  const field = fieldOf(map);
  const at = field.values.indexOf(field.max);
  const { u, v } = cellAt(field, {
    u: ((at % field.cols) + 0.5) / field.cols,
    v: (Math.floor(at / field.cols) + 0.5) / field.rows,
  });
  const third = (share: number): 0 | 1 | 2 => Math.min(Math.floor(share * 3), 2) as 0 | 1 | 2;
  const name = `${ROWS[third(v)]} ${COLUMNS[third(u)]}`.replace('middle centre', 'centre');
  return `${name} (${Math.round(100 * u)} % across, ${Math.round(100 * v)} % down)`;
}

function answerTable(explanation: Explanation): string {
  const anyMap = explanation.maps.some(({ role }) => role === 'token');
  const rows = explanation.answer.tokens.map((token, index) => {
    const map = tokenMap(explanation, index);
    return [
      cell(visibleToken(token.text)),
      figure(token.llr),
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

function explanationMarkdown(explanation: Explanation, title: string | undefined): string {
  const { question, answer, dependsOnImage, model, provenance } = explanation;
  const main = mainMap(explanation);
  const results = scores(explanation);
  return [
    title === undefined ? '' : `**${cell(title)}**`,
    `Question: ${cell(question)}`,
    `Answer${answer.source === 'given' ? ' (given)' : ''}: **${cell(answer.text)}**`,
    dependsOnImage ? '' : `${NO_DEPENDENCE} ${noDependenceReason(explanation)}`,
    main ? `The heatmap for ${cell(mapSubject(main))} is hottest at the ${hottestPlace(main)}.` : '',
    answer.tokens.length > 0 ? answerTable(explanation) : '',
    results.length > 0
      ? table(
          ['score', 'value', 'better'],
          results.map((metric) => [cell(metric.name), metricValue(metric), metric.better ?? '']),
        )
      : '',
    `Model ${cell(model.id)}, method ${cell(provenance.method)}, seed ${provenance.seed}.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** The whole document as Markdown: tables of tokens and scores, and the agreement of a comparison. */
export function markdown(document: LensDocument): string {
  const compared = document.kind === 'comparison';
  const parts = document.explanations.map((one) => explanationMarkdown(one, compared ? one.label : undefined));
  const label = (at: number): string => cell(document.explanations[at]?.label ?? String(at + 1));
  const agreement = document.agreement ?? [];
  return [
    ...(compared && document.axis ? [`${AXIS_TITLES[document.axis]}.`] : []),
    ...parts,
    ...(agreement.length > 0
      ? [
          table(
            ['between', 'and', 'rank correlation', 'overlap of the top 20 %'],
            agreement.map(({ a, b, rankCorrelation, iouTop20 }) => [
              label(a),
              label(b),
              fixed(rankCorrelation),
              fixed(iouTop20),
            ]),
          ),
        ]
      : []),
  ].join('\n\n');
}
