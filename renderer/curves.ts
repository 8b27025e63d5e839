/** Deletion and insertion curves, drawn by Observable Plot. */
import { gridY, lineY, plot, ruleY, text } from '@observablehq/plot';
import type { Curve, Explanation } from '../kernel/document.ts';
import { element } from './element.ts';
import { curveName, figure, intervalText, scores } from './wording.ts';

const WIDTH = 380;
const HEIGHT = 168;

const COLOURS = { deletion: 'var(--lens-deletion)', insertion: 'var(--lens-insertion)' } as const;

function chart(curves: readonly Curve[]): Element {
  const points = curves.flatMap((curve) => curve.x.map((x, at) => ({ x, y: curve.y[at]!, curve })));
  // Both kinds end apart, one at the whole picture's score and one at the baseline's: there the labels never collide.
  const ends = new Map(curves.map((curve) => [curve.kind, { x: curve.x.at(-1) ?? 1, y: curve.y.at(-1) ?? 0, curve }]));
  const heights = points.map(({ y }) => y);
  const drawn = plot({
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 34,
    marginRight: 66,
    marginTop: 22,
    marginBottom: 32,
    className: 'lens-plot',
    x: {
      domain: [0, 1],
      label: 'share of the picture',
      tickFormat: (x: number) => `${Math.round(100 * x)} %`,
      ticks: 4,
    },
    y: { domain: [Math.min(0, ...heights), Math.max(1, ...heights)], label: 'score', ticks: 4 },
    marks: [
      gridY({ ticks: 4, strokeOpacity: 0.15 }),
      ruleY([0], { strokeOpacity: 0.5 }),
      lineY(points, {
        x: 'x',
        y: 'y',
        z: 'curve',
        stroke: ({ curve }: { curve: Curve }) => COLOURS[curve.kind],
        strokeWidth: 2,
      }),
      text([...ends.values()], {
        x: 'x',
        y: 'y',
        text: ({ curve }: { curve: Curve }) => curve.kind,
        fill: ({ curve }: { curve: Curve }) => COLOURS[curve.kind],
        dx: 6,
        textAnchor: 'start',
        fontWeight: 600,
        fontSize: 12,
      }),
    ],
  });
  // Plot brings its style sheet inside the drawing, which a strict Content-Security-Policy refuses; ours has the same rules.
  for (const sheet of drawn.querySelectorAll('style')) sheet.remove();
  // As one picture with one label: labels of its parts would be neither allowed nor heard.
  for (const part of drawn.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  drawn.setAttribute('role', 'img');
  drawn.setAttribute(
    'aria-label',
    `Curves over the share of the picture: ${curves.map((curve) => `${curveName(curve, curves)} ${figure(curve.score)}`).join(', ')}`,
  );
  return drawn;
}

const BETTER = { higher: 'higher is better', lower: 'lower is better' } as const;

/** How to read the curves. */
export function createCurveNote(): HTMLElement {
  return element(
    'p',
    { class: 'note' },
    'Deletion takes the hottest cells away first, insertion brings them back first. ' +
      '1 is the score of the whole picture, 0 that of the baseline.',
  );
}

/** The curves with all scores beneath them, or nothing when there are neither. */
export function createCurves(explanation: Explanation): HTMLElement | null {
  const { curves } = explanation;
  const results = scores(explanation);
  if (results.length === 0) return null;
  const drawable = curves.filter(({ x }) => x.length > 1);
  return element(
    'div',
    { class: 'curves', role: 'group', 'aria-label': 'How faithful the map is' },
    drawable.length > 0 ? element('figure', {}, chart(drawable)) : null,
    element(
      'dl',
      { class: 'scores' },
      ...results.map((metric) =>
        element(
          'div',
          {},
          element('dt', {}, metric.name),
          element('dd', {}, figure(metric.value)),
          metric.interval ? element('dd', { class: 'aside' }, intervalText(metric)) : null,
          metric.better ? element('dd', { class: 'aside' }, BETTER[metric.better]) : null,
        ),
      ),
    ),
  );
}
