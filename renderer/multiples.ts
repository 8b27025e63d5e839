/** Several held tokens compared: a small picture for each, or the choice to see all in one. */
import { canvasOf, element } from './element.ts';
import { drawContours, heatSize, paintLayers } from './heatmap.ts';
import { svgElement } from './element.ts';
import { pictureSource } from './picture.ts';
import { valueOfSegmentAt } from './readout.ts';
import type { ViewState } from './store.ts';
import { pinsOf, type Panel, type Pin } from './subject.ts';
import { createChoice } from './controls.ts';
import { figure, visibleToken } from './wording.ts';

/** Longer side of a small picture's canvas, px. */
const SIDE = 192;

interface Multiple {
  readonly pin: Pin;
  readonly element: HTMLElement;
  paint(state: ViewState): void;
  point(state: ViewState): void;
}

function createMultiple(panel: Panel, pin: Pin, release: () => void): Multiple {
  const { image, scaleOf } = panel;
  const { segment, field, colour } = pin;
  const { canvas, context } = canvasOf(...heatSize(image.width, image.height, SIDE));
  canvas.setAttribute('class', 'small-heat');
  const lines = svgElement('svg', { class: 'contours', viewBox: '0 0 1 1', preserveAspectRatio: 'none' });
  const value = element('span', { class: 'multiple-value' });
  const name = visibleToken(segment.text);
  const button = element('button', { type: 'button', class: 'release', 'aria-label': `Let go of ${name}` }, '×');
  button.addEventListener('click', release, { signal: panel.signal });
  const figureElement = element(
    'figure',
    { class: 'multiple', style: { '--pin': colour } },
    element(
      'div',
      {
        class: 'small-frame',
        style: { 'aspect-ratio': `${image.width} / ${image.height}` },
      },
      element('img', { class: 'picture', alt: `Map of ${name}`, src: pictureSource(image), draggable: 'false' }),
      canvas,
      lines,
    ),
    element(
      'figcaption',
      {},
      element('span', { class: 'multiple-name' }, name),
      element('span', { class: 'multiple-ratio' }, field ? `LLR ${figure(segment.llr)}` : 'no map of its own'),
      value,
      button,
    ),
  );
  return {
    pin,
    element: figureElement,
    paint(state) {
      const pixels = context.createImageData(canvas.width, canvas.height);
      const layers = field ? [{ field, scale: scaleOf(field, state) }] : [];
      paintLayers(layers, state, pixels);
      context.putImageData(pixels, 0, 0);
      lines.replaceChildren(...(state.mode === 'contours' ? [drawContours(layers, state)] : []));
      figureElement.dataset['mode'] = state.mode;
    },
    point(state) {
      value.textContent = valueOfSegmentAt(panel, state, segment.tokens);
    },
  };
}

/** The held tokens' maps, where there are at least two. */
export function createMultiples(panel: Panel): HTMLElement {
  const { store, signal, explanation } = panel;
  const grid = element('div', { class: 'multiples' });
  const choice = createChoice({
    label: 'Compare held maps',
    field: 'together',
    options: [
      ['multiples', 'side by side'],
      ['blend', 'blended'],
    ],
    store,
    signal,
    name: `together-${panel.index}`,
  });
  const clear = element('button', { type: 'button', class: 'quiet' }, 'Let all go');
  clear.addEventListener('click', () => store.set({ pinnedTokens: [] }), { signal });
  const box = element(
    'div',
    { class: 'compare-held', role: 'group', 'aria-label': 'Held tokens compared', hidden: true },
    element('div', { class: 'row' }, choice, clear),
    grid,
  );
  if (explanation.maps.length === 0) return box;
  let multiples: readonly Multiple[] = [];
  let painted = '';

  store.watch((state) => {
    const pins = pinsOf(panel, state);
    box.hidden = pins.length < 2;
    grid.hidden = state.together === 'blend';
    const changed =
      pins.length !== multiples.length || pins.some(({ segment }, at) => segment !== multiples[at]!.pin.segment);
    if (changed) {
      multiples = box.hidden
        ? []
        : pins.map((pin) =>
            createMultiple(panel, pin, () =>
              store.set({
                pinnedTokens: store.get().pinnedTokens.filter((reference) => {
                  const token = panel.ownToken(reference);
                  return token === null || !pin.segment.tokens.includes(token);
                }),
              }),
            ),
          );
      grid.replaceChildren(...multiples.map((multiple) => multiple.element));
    }
    const look = [state.mode, state.sampling, state.colourMap, state.opacity, state.threshold, state.scale, state.dark];
    if (changed || look.join() !== painted) multiples.forEach((multiple) => multiple.paint(state));
    painted = look.join();
    for (const multiple of multiples) multiple.point(state);
  }, signal);
  return box;
}
