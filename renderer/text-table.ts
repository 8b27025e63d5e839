/** A table of words and figures. */
import { element } from './element.ts';
import type { TextTable } from './tables.ts';

/** The table with its note; the first cell of each row is its heading. */
export function createTextTable({ caption, header, rows, numeric, note }: TextTable, name: string): HTMLElement {
  const of = (at: number) => (numeric.has(at) ? { class: 'number' } : {});
  const [corner, ...names] = header;
  return element(
    'section',
    { class: `text-table ${name}` },
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': caption },
      element(
        'table',
        {},
        element('caption', {}, caption),
        element(
          'thead',
          {},
          element(
            'tr',
            {},
            corner === '' ? element('td', {}) : element('th', { scope: 'col' }, corner!),
            ...names.map((text, at) => element('th', { scope: 'col', ...of(at + 1) }, text)),
          ),
        ),
        element(
          'tbody',
          {},
          ...rows.map(([heading, ...cells]) =>
            element(
              'tr',
              {},
              element('th', { scope: 'row', dir: 'auto' }, heading!),
              ...cells.map((text, at) => element('td', { dir: 'auto', ...of(at + 1) }, text)),
            ),
          ),
        ),
      ),
    ),
    note === '' ? null : element('p', { class: 'note' }, note),
  );
}
