/** The log-likelihood ratio of every token as bars, with a threshold that selects tokens anew as it moves. */
import { axisX, barX, gridX, ruleX, text } from '@observablehq/plot';
import { element } from './element.ts';
import { drawChart } from './plot-chart.ts';
import { mappedTokens } from './segments.ts';
import { selectedAt } from './selection.ts';
import type { Panel } from './subject.ts';
import { REASONS, figure, visibleToken } from './wording.ts';

const WIDTH = 420;
const ROW = 19;
const MARGIN = { right: 44, top: 26, bottom: 6 };
/** Of a written character, px. */
const CHARACTER = 7;
const STEP = 0.05;

/** The longest that a token is written beside its bar, in characters. */
const NAME = 14;

const shortened = (name: string): string => (name.length > NAME ? `${name.slice(0, NAME - 1)}…` : name);

/** The fold-out with the bars. They are drawn when it is first opened. */
export function createRatios(panel: Panel): HTMLElement | null {
  const { explanation, store, signal, index } = panel;
  const { tokens, threshold } = explanation.answer;
  if (tokens.length === 0) return null;
  const ratios = tokens.map(({ llr }) => llr);
  const [low, high] = [Math.min(0, ...ratios), Math.max(1, threshold, ...ratios)];

  const names = tokens.map((token) => shortened(visibleToken(token.text)));
  const marginLeft = 14 + CHARACTER * Math.max(...names.map(({ length }) => length));

  const draw = (alpha: number, selected: ReadonlySet<number>): Element => {
    const bars = tokens.map((token, at) => ({ at, llr: token.llr, selected: selected.has(at) }));
    const chart = drawChart(
      `Log-likelihood ratio of each token: ${selected.size} of ${tokens.length} above ${figure(alpha)}`,
      {
        width: WIDTH,
        height: MARGIN.top + MARGIN.bottom + ROW * tokens.length,
        marginLeft,
        marginRight: MARGIN.right,
        marginTop: MARGIN.top,
        marginBottom: MARGIN.bottom,
        x: { domain: [low, high], label: null },
        y: {
          domain: bars.map(({ at }) => at),
          label: null,
          tickSize: 0,
          tickFormat: (at: number) => names[at]!,
          padding: 0.22,
        },
        marks: [
          gridX({ ticks: 5, strokeOpacity: 0.12 }),
          axisX({ anchor: 'top', ticks: 5, label: null }),
          ruleX([0], { strokeOpacity: 0.5 }),
          ruleX([alpha], { stroke: 'var(--mark-line)', strokeWidth: 2, strokeDasharray: '4 3' }),
          barX(bars, {
            x: 'llr',
            y: 'at',
            fill: ({ selected: is }: { selected: boolean }) => (is ? 'var(--bar)' : 'var(--bar-quiet)'),
          }),
          text(bars, {
            x: ({ llr }: { llr: number }) => Math.max(llr, 0),
            y: 'at',
            text: ({ llr }: { llr: number }) => figure(Math.round(llr * 100) / 100),
            dx: 5,
            textAnchor: 'start',
            fill: 'currentColor',
            stroke: 'var(--paper)',
            strokeWidth: 4,
          }),
        ],
      },
    );
    chart.querySelectorAll('[data-mark="bar"] rect').forEach((bar, at) => bar.setAttribute('data-token', String(at)));
    return chart;
  };

  const drawing = element('div', { class: 'bars', tabindex: 0, role: 'group', 'aria-label': 'Ratios of all tokens' });
  const slider = element('input', {
    type: 'range',
    min: Math.floor(Math.max(low, -2) / STEP) * STEP,
    max: Math.ceil(high / STEP) * STEP,
    step: STEP,
    value: threshold,
    'data-control': 'alpha',
  });
  const output = element('output', {});
  const reset = element('button', { type: 'button', class: 'quiet', hidden: true }, 'As computed');
  const note = element('p', { class: 'note', 'aria-live': 'polite' });
  slider.addEventListener('input', () => store.set({ alpha: Number(slider.value) }), { signal });
  reset.addEventListener('click', () => store.set({ alpha: null }), { signal });

  const fold = element(
    'details',
    { class: 'fold ratios' },
    element('summary', {}, 'How much each token depends on the image'),
    element(
      'div',
      { class: 'row' },
      element('label', { class: 'control' }, element('span', {}, 'Select above'), slider, output),
      reset,
    ),
    drawing,
    note,
  );

  let drawn: string | undefined;
  const update = (): void => {
    if (!fold.open) return;
    const { alpha } = store.get();
    if (String(alpha) === drawn) return;
    drawn = String(alpha);
    const at = alpha ?? threshold;
    const selected = selectedAt(explanation.answer, alpha);
    drawing.replaceChildren(draw(at, selected));
    slider.value = String(at);
    output.textContent = figure(at);
    slider.setAttribute('aria-valuetext', `${figure(at)}: ${selected.size} of ${tokens.length} tokens selected`);
    reset.hidden = alpha === null;
    note.textContent = noteOn(selected);
  };
  const noteOn = (selected: ReadonlySet<number>): string => {
    const bare = [...selected].filter((token) => mappedTokens(explanation, [token]) === 0).length;
    const never = tokens.filter(({ reason }) => reason === 'stop word' || reason === 'punctuation').length;
    return [
      `${selected.size} of ${tokens.length} tokens are selected.`,
      never > 0
        ? `${REASONS['stop word']}s and punctuation never are.`.replace(/^./, (letter) => letter.toUpperCase())
        : '',
      bare > 0 && explanation.maps.length > 0
        ? `${bare} of them ${bare === 1 ? 'has' : 'have'} no map: explain again with this threshold to make ${bare === 1 ? 'it' : 'them'}.`
        : '',
    ]
      .filter((part) => part !== '')
      .join(' ');
  };
  fold.addEventListener('toggle', update, { signal });
  store.watch(update, signal);

  drawing.addEventListener(
    'pointerover',
    (event) => {
      const token = (event.target as Element).closest('[data-token]')?.getAttribute('data-token');
      store.set({ hoveredToken: token ? { panel: index, token: Number(token) } : null });
    },
    { signal },
  );
  drawing.addEventListener('pointerleave', () => store.set({ hoveredToken: null }), { signal });
  return fold;
}
