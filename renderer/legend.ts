/** What the colours mean: the heat's scale with its values, the held tokens' colours, and the scale of the words. */
import { heatTable, type Shading } from './colour-maps.ts';
import { contourLevels } from './contours.ts';
import { element } from './element.ts';
import { activePlace, type ViewState } from './store.ts';
import { blendedPins, shownMap, type Panel } from './subject.ts';
import { largestSegmentRatio } from './answer-tokens.ts';
import { valueAt } from './saliency.ts';
import { figure, isChosen, visibleToken } from './wording.ts';

const STOPS = 24;

/** Colours of the scale from low to high, as they lie on the picture. */
export function rampColours(state: ViewState): readonly string[] {
  const shading: Shading = state.mode === 'contours' ? 'alone' : state.mode;
  const table = heatTable({ ...state, shading });
  return Array.from({ length: STOPS + 1 }, (_, stop) => {
    const [r, g, b, a] = table.subarray(Math.round((255 * stop) / STOPS) * 4);
    // A spotlight has no colours: the ramp shows how much is left of the picture.
    return shading === 'spotlight'
      ? `rgb(128 128 128 / ${(1 - a! / 255).toFixed(3)})`
      : `rgb(${r} ${g} ${b} / ${(a! / 255).toFixed(3)})`;
  });
}

/** The scale of the heat: colours as they lie on the picture, values at both ends and in the middle. */
export function createHeatLegend(panel: Panel): HTMLElement {
  const { store, scaleOf, signal } = panel;
  const title = element('span', { class: 'legend-title' });
  const ramp = element('div', { class: 'ramp' });
  const needle = element('div', { class: 'needle', hidden: true });
  const ticks = [0, 0.5, 1].map(() => element('span', {}));
  const bar = element('div', { class: 'bar', 'aria-hidden': 'true' }, ramp, needle);
  const scale = element('div', { class: 'legend-scale' }, bar, element('div', { class: 'ticks' }, ...ticks));
  const swatches = element('ul', { class: 'swatches', hidden: true });
  let drawn = '';
  let blended = '';

  store.watch((state) => {
    const pins = blendedPins(panel, state);
    scale.hidden = pins.length > 0;
    swatches.hidden = pins.length === 0;
    const names = pins.map(({ segment, colour }) => `${visibleToken(segment.text)} ${colour}`).join();
    if (names !== blended) {
      blended = names;
      swatches.replaceChildren(
        ...pins.map(({ segment, colour }) => element('li', { style: { '--pin': colour } }, visibleToken(segment.text))),
      );
    }
    const shown = shownMap(panel, state);
    if (!shown) return;
    const [low, high] = scaleOf(shown.field, state);
    title.textContent =
      pins.length > 0
        ? `Saliency for ${pins.length} held maps, blended`
        : `Saliency for ${shown.subject}, by ${shown.method}`;
    title.title = title.textContent;
    const look = [state.mode, state.colourMap, state.opacity, state.threshold, state.dark].join();
    if (look !== drawn) {
      drawn = look;
      ramp.style.setProperty('background-image', rampImage(state));
    }
    ticks.forEach((tick, at) => {
      const value = low + ((high - low) * at) / 2;
      // Beside the span of the scale that is zero, though rounding left something.
      tick.textContent = figure(Math.abs(value) < (high - low) / 1000 ? 0 : value);
    });
    const place = activePlace(state);
    needle.hidden = !place || high <= low;
    if (!place || high <= low) return;
    const share = Math.min(Math.max((valueAt(shown.field, place) - low) / (high - low), 0), 1);
    needle.style.setProperty('left', `${100 * share}%`);
  }, signal);
  return element('div', { class: 'legend' }, title, scale, swatches);
}

/** The ramp as a gradient; in steps where only some levels are drawn, as lines. */
function rampImage(state: ViewState): string {
  const colours = rampColours(state);
  if (state.mode !== 'contours') return `linear-gradient(to right, ${colours.join(', ')})`;
  const lines = contourLevels(state.threshold).flatMap((level) => {
    const colour = colours[Math.round(level * STOPS)]!;
    const [from, to] = [(100 * level - 0.8).toFixed(1), (100 * level + 0.8).toFixed(1)];
    return [`transparent ${from}%`, `${colour} ${from}%`, `${colour} ${to}%`, `transparent ${to}%`];
  });
  return `linear-gradient(to right, ${lines.join(', ')})`;
}

/** The scale of the words' colour. */
export function createTokenLegend({
  document,
  store,
  signal,
}: Pick<Panel, 'document' | 'store' | 'signal'>): HTMLElement {
  const largest = element('span', {});
  const why = element('span', {});
  const answers = document.explanations.map(({ answer }) => answer);
  const asComputed = answers.every(isChosen)
    ? 'chosen to be explained'
    : `selected (above ${figure(Math.min(...answers.map(({ threshold }) => threshold)))})`;
  store.watch(({ segmentation, alpha }) => {
    largest.textContent = figure(largestSegmentRatio(document, segmentation));
    why.textContent = alpha === null ? asComputed : `selected (above ${figure(alpha)})`;
  }, signal);
  return element(
    'p',
    { class: 'token-legend' },
    'Colour: how much a word depends on the image, by its log-likelihood ratio ',
    element('span', { class: 'token-scale', 'aria-hidden': 'true' }),
    ' 0 to ',
    largest,
    '. ',
    element('span', { class: 'sample' }, 'Underlined'),
    ': ',
    why,
    '.',
  );
}
