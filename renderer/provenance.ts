/** Everything needed to make the result again, folded away. */
import type { Explanation } from '../kernel/document.ts';
import { element } from './element.ts';
import { duration } from './wording.ts';

/** A parameter as text: plain values as they are, the rest as JSON. */
export function parameterText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}

type Row = readonly [term: string, text: string];

/** The provenance as rows of text. */
export function provenanceRows({ provenance: from, model }: Explanation): readonly Row[] {
  const rows: readonly Row[] = [
    ['model', `${model.id} (${model.type})`],
    ['method', from.method],
    ['seed', String(from.seed)],
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
    ...Object.entries(from.parameters).map(([name, value]): Row => [name, parameterText(value)]),
  ];
  return rows.filter(([, text]) => text !== '');
}

export function createProvenance(explanation: Explanation): HTMLElement {
  return element(
    'details',
    { class: 'provenance' },
    element('summary', {}, 'How this was made'),
    element(
      'dl',
      {},
      ...provenanceRows(explanation).flatMap(([term, text]) => [element('dt', {}, term), element('dd', {}, text)]),
    ),
  );
}
