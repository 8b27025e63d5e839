/** The scores of a comparison's explanations side by side, the best of each marked. */
import type { LensDocument, Metric } from '../kernel/document.ts';
import { element } from './element.ts';
import { duration, figure, intervalText, scores } from './wording.ts';

/** Index of the best value, where there is one and it is better than another. */
function bestOf(metrics: readonly (Metric | undefined)[]): number {
  const known = metrics.flatMap((metric, at) => (metric?.better ? [{ at, metric }] : []));
  const [first] = known;
  if (!first || known.every(({ metric }) => metric.value === first.metric.value)) return -1;
  const sign = first.metric.better === 'lower' ? -1 : 1;
  return known.reduce((a, b) => (sign * b.metric.value > sign * a.metric.value ? b : a)).at;
}

/** A table with a row for each explanation and a column for each score; nothing where there are no scores. */
export function createScoreTable({ explanations }: LensDocument): HTMLElement | null {
  const all = explanations.map(scores);
  const names = [...new Set(all.flatMap((metrics) => metrics.map(({ name }) => name)))];
  if (names.length === 0) return null;
  const columns = names.map((name) => {
    const metrics = all.map((own) => own.find((metric) => metric.name === name));
    return { name, metrics, best: bestOf(metrics), better: metrics.find((metric) => metric?.better)?.better };
  });
  const total = (milliseconds: Readonly<Record<string, number>>): number =>
    Object.values(milliseconds).reduce((a, b) => a + b, 0);
  return element(
    'section',
    { class: 'score-table' },
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Scores' },
      element(
        'table',
        {},
        element('caption', {}, 'Scores'),
        element(
          'thead',
          {},
          element(
            'tr',
            {},
            element('td', {}),
            ...columns.map(({ name, better }) =>
              element('th', { scope: 'col', class: 'number' }, `${name}${better ? ` (${better} is better)` : ''}`),
            ),
            element('th', { scope: 'col', class: 'number' }, 'selected tokens'),
            element('th', { scope: 'col', class: 'number' }, 'gradients'),
            element('th', { scope: 'col', class: 'number' }, 'time'),
          ),
        ),
        element(
          'tbody',
          {},
          ...explanations.map(({ label, answer, provenance }, row) =>
            element(
              'tr',
              {},
              element('th', { scope: 'row' }, label),
              ...columns.map(({ metrics, best }) => {
                const metric = metrics[row];
                if (!metric) return element('td', { class: 'number' }, '–');
                return element(
                  'td',
                  { class: best === row ? 'number best' : 'number' },
                  figure(metric.value),
                  metric.interval ? element('span', { class: 'aside' }, intervalText(metric)) : null,
                );
              }),
              element(
                'td',
                { class: 'number' },
                `${answer.tokens.filter(({ selected }) => selected).length} of ${answer.tokens.length}`,
              ),
              element('td', { class: 'number' }, String(provenance.evaluations.gradient)),
              element('td', { class: 'number' }, duration(total(provenance.milliseconds))),
            ),
          ),
        ),
      ),
    ),
  );
}
