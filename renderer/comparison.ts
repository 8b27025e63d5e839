/** How much the explanations of a comparison agree, as a table. */
import type { LensDocument } from '../kernel/document.ts';
import { element } from './element.ts';
import { fixed } from './wording.ts';

export function createAgreement({ agreement, explanations }: LensDocument): HTMLElement | null {
  if (!agreement || agreement.length === 0) return null;
  const label = (at: number): string => explanations[at]?.label ?? String(at + 1);
  return element(
    'div',
    { class: 'agreement', tabindex: 0, role: 'group', 'aria-label': 'Agreement of the maps' },
    element(
      'table',
      {},
      element('caption', {}, 'Agreement of the maps'),
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          element('th', { scope: 'col' }, 'between'),
          element('th', { scope: 'col' }, 'and'),
          element('th', { scope: 'col', class: 'number' }, 'rank correlation'),
          element('th', { scope: 'col', class: 'number' }, 'overlap of top 20 %'),
        ),
      ),
      element(
        'tbody',
        {},
        ...agreement.map(({ a, b, rankCorrelation, iouTop20 }) =>
          element(
            'tr',
            {},
            element('td', {}, label(a)),
            element('td', {}, label(b)),
            element('td', { class: 'number' }, fixed(rankCorrelation)),
            element('td', { class: 'number' }, fixed(iouTop20)),
          ),
        ),
      ),
    ),
    element(
      'p',
      { class: 'note' },
      'Rank correlation: 1 same order of cells, 0 unrelated, −1 opposite. Overlap: intersection over union.',
    ),
  );
}
