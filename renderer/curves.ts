/** Deletion and insertion: the curves, a scrubber that shows the picture at each step, and the scores. */
import { dot, gridY, lineY, ruleX, ruleY, text } from '@observablehq/plot';
import type { Curve, Explanation } from '../kernel/document.ts';
import { BASELINE_NOTES } from './baseline.ts';
import { afterPaint, element } from './element.ts';
import { drawChart } from './plot-chart.ts';
import type { CurveStep } from './store.ts';
import type { Panel } from './subject.ts';
import { curveName, figure, intervalText, scores } from './wording.ts';

const WIDTH = 380;
const HEIGHT = 172;

const COLOURS = { deletion: 'var(--lens-deletion)', insertion: 'var(--lens-insertion)' } as const;

const strokeOf = ({ curve }: { readonly curve: Curve }): string => COLOURS[curve.kind];

function chart(curves: readonly Curve[], step: CurveStep | null, all: readonly Curve[]): Element {
  const points = curves.flatMap((curve) => curve.x.map((x, at) => ({ x, y: curve.y[at]!, curve })));
  // Both kinds end apart, one at the whole picture's score and one at the baseline's: there the labels never collide.
  const ends = new Map(curves.map((curve) => [curve.kind, { x: curve.x.at(-1) ?? 1, y: curve.y.at(-1) ?? 0, curve }]));
  const heights = points.map(({ y }) => y);
  const chosen = step && all[step.curve];
  const at = chosen && step ? { x: chosen.x[step.point]!, y: chosen.y[step.point]!, curve: chosen } : undefined;
  const label = curves.map((curve) => `${curveName(curve, all)} ${figure(curve.score)}`).join(', ');
  return drawChart(`Curves over the share of the picture: ${label}`, {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 34,
    marginRight: 66,
    marginTop: 22,
    marginBottom: 34,
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
      ...(at ? [ruleX([at.x], { strokeOpacity: 0.6 })] : []),
      lineY(points, { x: 'x', y: 'y', z: 'curve', stroke: strokeOf, strokeWidth: 2 }),
      ...(at ? [dot([at], { x: 'x', y: 'y', fill: strokeOf, r: 4.5, stroke: 'var(--paper)', strokeWidth: 1.5 })] : []),
      text([...ends.values()], {
        x: 'x',
        y: 'y',
        text: ({ curve }: { curve: Curve }) => curve.kind,
        fill: strokeOf,
        dx: 6,
        textAnchor: 'start',
        fontWeight: 600,
        fontSize: 12,
      }),
    ],
  });
}

/** The curves by themselves, where there are any. */
export function createCurveChart(curves: readonly Curve[]): Element | undefined {
  const drawable = curves.filter(({ x }) => x.length > 1);
  return drawable.length > 0 ? chart(drawable, null, curves) : undefined;
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

/** What the picture shows at a step. */
function stepText(curve: Curve, point: number): string {
  const share = `${Math.round(1000 * curve.x[point]!) / 10} %`;
  const baseline = BASELINE_NOTES[curve.baseline] ?? curve.baseline;
  const done =
    curve.kind === 'deletion' ? `${share} taken away (${baseline})` : `${share} brought back (rest ${baseline})`;
  return `${done}: score ${figure(curve.y[point]!)}`;
}

/** A slider over the steps of one of the curves; the picture follows it. */
function createScrubber({ store, index, signal }: Panel, curves: readonly Curve[], drawable: readonly number[]) {
  const select = element(
    'select',
    { 'aria-label': 'Curve to step through', 'data-control': 'curve' },
    ...drawable.map((at) => element('option', { value: at }, curveName(curves[at]!, curves))),
  );
  const slider = element('input', {
    type: 'range',
    min: 0,
    max: 1,
    step: 1,
    value: 0,
    'aria-label': 'Step of the curve: the picture follows',
    'data-control': 'step',
  });
  const output = element('output', { class: 'step' });
  const back = element('button', { type: 'button', class: 'quiet', hidden: true }, 'Back to the map');

  const show = (point: number): void => {
    const curve = Number(select.value);
    // Position 0 is the map; step n of the curve is position n + 1.
    store.set({ step: point === 0 ? null : { panel: index, curve, point: point - 1 } });
  };
  select.addEventListener('change', () => show(Number(slider.value)), { signal });
  slider.addEventListener('input', () => show(Number(slider.value)), { signal });
  back.addEventListener(
    'click',
    () => {
      store.set({ step: null });
      slider.focus();
    },
    { signal },
  );
  let before: CurveStep | null | undefined;
  store.watch(({ step }) => {
    const own = step?.panel === index ? step : null;
    if (own === before) return;
    before = own;
    const curve = curves[own?.curve ?? Number(select.value)]!;
    slider.max = String(curve.x.length);
    slider.value = String(own ? own.point + 1 : 0);
    const said = own ? stepText(curve, own.point) : 'Drag to see the picture at each step.';
    output.textContent = said;
    slider.setAttribute('aria-valuetext', own ? said : 'the map');
    back.hidden = own === null;
  }, signal);
  return element('div', { class: 'scrubber' }, element('div', { class: 'row' }, select, slider, back), output);
}

function createScores(explanation: Explanation): HTMLElement {
  return element(
    'dl',
    { class: 'scores' },
    ...scores(explanation).map((metric) =>
      element(
        'div',
        {},
        element('dt', {}, metric.name),
        element('dd', {}, figure(metric.value)),
        metric.interval ? element('dd', { class: 'aside' }, intervalText(metric)) : null,
        metric.better ? element('dd', { class: 'aside' }, BETTER[metric.better]) : null,
      ),
    ),
  );
}

/** The curves with the scrubber and all scores beneath them, or nothing when there are neither. */
export function createCurves(panel: Panel): HTMLElement | null {
  const { explanation, store, signal, index } = panel;
  const { curves } = explanation;
  if (scores(explanation).length === 0) return null;
  const drawable = curves.flatMap(({ x }, at) => (x.length > 1 ? [at] : []));
  const box = element('div', { class: 'curves', role: 'group', 'aria-label': 'How faithful the map is' });
  if (drawable.length > 0) {
    // The box has its shape before the drawing is there: nothing moves when it comes.
    const drawing = element('figure', { style: { 'aspect-ratio': `${WIDTH} / ${HEIGHT}` } });
    const shown = drawable.map((at) => curves[at]!);
    let before: CurveStep | null | undefined;
    afterPaint(() => {
      store.watch(({ step }) => {
        const own = step?.panel === index ? step : null;
        if (own === before) return;
        before = own;
        drawing.replaceChildren(chart(shown, own, curves));
      }, signal);
    }, signal);
    box.append(drawing);
    if (explanation.maps.length > 0) box.append(createScrubber(panel, curves, drawable));
  }
  box.append(createScores(explanation));
  return box;
}
