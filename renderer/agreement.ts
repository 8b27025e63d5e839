/** How much the explanations of a comparison agree, each with each. */
import type { Agreement, LensDocument } from '../kernel/document.ts';
import { element } from './element.ts';
import { fixed } from './wording.ts';

const MEASURES = {
  rankCorrelation: {
    label: 'rank correlation',
    note: 'Rank correlation (Spearman) of the maps’ cells: 1 same order, 0 unrelated, −1 opposite.',
  },
  iouTop20: {
    label: 'overlap of the top 20 %',
    note: 'Overlap of each map’s hottest 20 % of cells: intersection over union, 0 to 1.',
  },
  earthMovers: {
    label: 'earth mover’s distance',
    note: 'Earth mover’s distance: how far the one map’s heat must be moved to make the other’s, in diagonals of the image; 0 is the same.',
  },
} as const;

type Measure = keyof typeof MEASURES;

/** An earth mover's distance that counts as no agreement at all: about that of heat in one place and heat spread evenly. */
const FAR = 0.4;

function pairOf(pairs: readonly Agreement[], a: number, b: number): Agreement | undefined {
  return pairs.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a));
}

function matrix({ explanations }: LensDocument, pairs: readonly Agreement[], measure: Measure): HTMLElement {
  const label = (at: number): string => explanations[at]!.label;
  const cell = (a: number, b: number): HTMLElement => {
    if (a === b) return element('td', { class: 'self' }, element('span', { 'aria-label': 'itself', role: 'img' }, '·'));
    const value = pairOf(pairs, a, b)?.[measure];
    if (value === undefined) return element('td', {}, '–');
    // The darker, the more alike.
    const alike = measure === 'earthMovers' ? 1 - Math.min(1, value / FAR) : Math.max(value, 0);
    return element('td', { class: 'number', style: { '--agree': alike.toFixed(3) } }, fixed(value));
  };
  return element(
    'table',
    { class: 'matrix' },
    element('caption', {}, `Agreement of the maps: ${MEASURES[measure].label}`),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        element('td', {}),
        ...explanations.map((_, at) => element('th', { scope: 'col', class: 'number' }, label(at))),
      ),
    ),
    element(
      'tbody',
      {},
      ...explanations.map((_, a) =>
        element('tr', {}, element('th', { scope: 'row' }, label(a)), ...explanations.map((__, b) => cell(a, b))),
      ),
    ),
  );
}

/** The matrix, with a choice of what it measures; nothing where the document has no agreements. */
export function createAgreement(lens: LensDocument, signal: AbortSignal): HTMLElement | null {
  const { agreement } = lens;
  if (!agreement || agreement.length === 0) return null;
  // Documents of earlier versions do not have all.
  const measures = (Object.keys(MEASURES) as Measure[]).filter((name) =>
    agreement.some((pair) => pair[name] !== undefined),
  );
  const select = element(
    'select',
    { 'data-control': 'measure' },
    ...measures.map((name) => element('option', { value: name }, MEASURES[name].label)),
  );
  const table = element('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Agreement of the maps' });
  const note = element('p', { class: 'note' });
  const show = (): void => {
    const measure = select.value as Measure;
    table.replaceChildren(matrix(lens, agreement, measure));
    note.textContent = MEASURES[measure].note;
  };
  select.addEventListener('change', show, { signal });
  show();
  return element(
    'section',
    { class: 'agreement' },
    table,
    element('div', { class: 'row' }, element('label', { class: 'control' }, element('span', {}, 'Measure'), select)),
    note,
  );
}
