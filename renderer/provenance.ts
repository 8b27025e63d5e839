/** Everything needed to make the result again, folded away: as a table, and as code to copy. */
import type { Explanation } from '../kernel/document.ts';
import { explanationCode } from './code.ts';
import { createCopyButton } from './copy.ts';
import { element } from './element.ts';
import type { Panel } from './subject.ts';
import { duration } from './wording.ts';

/** A parameter as text: plain values as they are, the rest as JSON. */
export function parameterText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}

type Row = readonly [term: string, text: string];

/** The provenance as rows of text. */
export function provenanceRows({ provenance: from, model, answer }: Explanation): readonly Row[] {
  const rows: readonly Row[] = [
    ['model', `${model.id} (${model.type})`],
    ['method', from.method],
    ['seed', String(from.seed)],
    ['threshold', String(answer.threshold)],
    ...Object.entries(from.parameters).map(([name, value]): Row => [name, parameterText(value)]),
    ['evaluations', `${from.evaluations.forward} forward, ${from.evaluations.gradient} gradient`],
    [
      'time',
      Object.entries(from.milliseconds)
        .map(([what, ms]) => `${what} ${duration(ms)}`)
        .join(', '),
    ],
    [
      'versions',
      Object.entries(from.versions)
        .map((pair) => pair.join(' '))
        .join(', '),
    ],
    ['made', from.created],
    ['image', from.imageHash],
    ...Object.entries(from.files),
  ];
  return rows.filter(([, text]) => text !== '');
}

export function createProvenance({ explanation, document, signal }: Panel): HTMLElement {
  const code = explanationCode(document, explanation);
  return element(
    'details',
    { class: 'fold provenance' },
    element('summary', {}, 'How this was made'),
    element(
      'div',
      { class: 'code' },
      element(
        'div',
        { class: 'code-text', tabindex: 0, role: 'group', 'aria-label': 'Code that makes this again' },
        element('code', {}, code),
      ),
      createCopyButton('Copy code', async () => code, signal),
    ),
    element(
      'dl',
      {},
      ...provenanceRows(explanation).flatMap(([term, text]) => [element('dt', {}, term), element('dd', {}, text)]),
    ),
  );
}
