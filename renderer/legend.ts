/** What the colours mean: the heat's scale with its values, and the scale of the words. */
import { colourAt, heatOpacity } from './colour-maps.ts';
import { element } from './element.ts';
import type { Scale } from './saliency.ts';
import type { ViewState } from './store.ts';
import { figure } from './wording.ts';

const STOPS = 24;

export interface HeatLegend {
  readonly element: HTMLElement;
  /** @param value at the looked-at place, if there is one */
  show(state: ViewState, scale: Scale, title: string, value: number | undefined): void;
}

/** The scale of the heat: colours as they lie on the picture, values at both ends and in the middle. */
export function createHeatLegend(): HeatLegend {
  const title = element('span', { class: 'legend-title' });
  const ramp = element('div', { class: 'ramp' });
  const needle = element('div', { class: 'needle', hidden: true });
  const ticks = [0, 0.5, 1].map(() => element('span', {}));
  const bar = element('div', { class: 'bar', 'aria-hidden': 'true' }, ramp, needle);
  const legend = element('div', { class: 'legend' }, title, bar, element('div', { class: 'ticks' }, ...ticks));
  return {
    element: legend,
    show(state, [low, high], text, value) {
      title.textContent = text;
      const stops = Array.from({ length: STOPS + 1 }, (_, stop) => {
        const t = stop / STOPS;
        const alpha = Math.round(255 * heatOpacity(t, state))
          .toString(16)
          .padStart(2, '0');
        return `${colourAt(state.colourMap, t)}${alpha} ${(100 * t).toFixed(1)}%`;
      });
      ramp.style.setProperty('background-image', `linear-gradient(to right, ${stops.join(', ')})`);
      ticks.forEach((tick, at) => (tick.textContent = figure(low + ((high - low) * at) / 2)));
      needle.hidden = value === undefined;
      if (value !== undefined && high > low) {
        const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
        needle.style.setProperty('left', `${100 * share}%`);
      }
    },
  };
}

/** The scale of the words' colour. */
export function createTokenLegend(largest: number, threshold: number): HTMLElement {
  return element(
    'p',
    { class: 'token-legend' },
    'Colour: how much a word depends on the image, by its log-likelihood ratio ',
    element('span', { class: 'token-scale', 'aria-hidden': 'true' }),
    ` 0 to ${figure(largest)}. `,
    element('span', { class: 'sample' }, 'Underlined'),
    `: selected (above ${figure(threshold)}).`,
  );
}
