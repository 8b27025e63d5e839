/** The picture with its heat and a cursor that the pointer or the arrow keys move from cell to cell. */
import type { DocumentImage, Explanation } from '../kernel/document.ts';
import { element } from './element.ts';
import { createHeatmap } from './heatmap.ts';
import {
  cellAt,
  fieldOf,
  mainMap,
  tokenMap,
  valueAt,
  type Cell,
  type Field,
  type Place,
  type Scale,
} from './saliency.ts';
import { activePlace, type Store, type ViewState } from './store.ts';
import { figure } from './wording.ts';

const STEPS: Readonly<Record<string, readonly [rows: number, cols: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-4, 0],
  PageDown: [4, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

export interface PictureOptions {
  readonly image: DocumentImage;
  readonly explanation: Explanation;
  readonly store: Store<ViewState>;
  /** The token whose map is to be shown in this panel, by the state. */
  readonly activeToken: (state: ViewState) => number | null;
  readonly scaleOf: (field: Field, state: ViewState) => Scale;
  readonly signal: AbortSignal;
}

/** The source of an `<img>` for a picture of the document. */
export function pictureSource({ mime, data }: DocumentImage): string {
  return `data:${mime};base64,${data}`;
}

/** The map that a panel shows for a state: the looked-at token's, else the main one. */
export function shownMap(explanation: Explanation, token: number | null) {
  return (token === null ? undefined : tokenMap(explanation, token)) ?? mainMap(explanation);
}

export function createPicture({
  image,
  explanation,
  store,
  activeToken,
  scaleOf,
  signal,
}: PictureOptions): HTMLElement {
  const picture = element('img', {
    class: 'picture',
    src: pictureSource(image),
    width: image.width,
    height: image.height,
    alt: image.name ? `The picture that was asked about: ${image.name}` : 'The picture that was asked about',
    draggable: 'false',
  });
  const frame = element(
    'div',
    { class: 'frame', style: { 'aspect-ratio': `${image.width} / ${image.height}` } },
    picture,
  );
  picture.addEventListener(
    'error',
    () => frame.append(element('p', { class: 'broken' }, 'This picture cannot be shown.')),
    {
      signal,
    },
  );
  const main = mainMap(explanation);
  if (!main) return frame;

  const heat = createHeatmap(image.width, image.height, signal);
  heat.canvas.classList.add('heat');
  const cursor = element('div', { class: 'cursor', hidden: true });
  const value = element('span', { class: 'cursor-value' });
  const ground = element(
    'div',
    {
      class: 'ground',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'heatmap',
      'aria-label':
        `Heatmap of ${main.rows} by ${main.cols} cells over the picture. ` +
        'Arrow keys move over the cells, Enter holds a place, Escape lets go.',
    },
    heat.canvas,
    cursor,
  );
  cursor.append(value);
  frame.append(ground);

  const fieldFor = (state: ViewState): Field => fieldOf(shownMap(explanation, activeToken(state)) ?? main);
  const cellOf = (place: Place): Cell => cellAt(fieldFor(store.get()), place);

  store.watch((state) => {
    const field = fieldFor(state);
    heat.show(field, scaleOf(field, state), state);
    const place = activePlace(state);
    cursor.hidden = place === null;
    cursor.classList.toggle('pinned', state.pinnedPlace !== null && state.hoveredPlace === null);
    if (!place) return;
    const cell = cellAt(field, place);
    cursor.style.setProperty('left', `${(100 * cell.col) / field.cols}%`);
    cursor.style.setProperty('top', `${(100 * cell.row) / field.rows}%`);
    cursor.style.setProperty('width', `${100 / field.cols}%`);
    cursor.style.setProperty('height', `${100 / field.rows}%`);
    cursor.classList.toggle('near-right', cell.u > 0.8);
    cursor.classList.toggle('near-top', cell.v < 0.15);
    value.textContent = figure(valueAt(field, cell));
  }, signal);

  const placeOf = (event: MouseEvent): Place => {
    const box = ground.getBoundingClientRect();
    return cellOf({ u: (event.clientX - box.left) / box.width, v: (event.clientY - box.top) / box.height });
  };
  const same = (a: Place | null, b: Place | null): boolean => a !== null && b !== null && a.u === b.u && a.v === b.v;
  const hover = (place: Place): void => {
    if (!same(store.get().hoveredPlace, place)) store.set({ hoveredPlace: { u: place.u, v: place.v } });
  };
  const toggle = (place: Place): void => {
    store.set({ pinnedPlace: same(store.get().pinnedPlace, place) ? null : { u: place.u, v: place.v } });
  };

  ground.addEventListener('pointermove', (event) => hover(placeOf(event)), { signal });
  ground.addEventListener('pointerleave', () => store.set({ hoveredPlace: null }), { signal });
  ground.addEventListener('click', (event) => toggle(placeOf(event)), { signal });
  ground.addEventListener(
    'focus',
    () => {
      if (ground.matches(':focus-visible')) hover(cellOf(activePlace(store.get()) ?? { u: 0.5, v: 0.5 }));
    },
    { signal },
  );
  ground.addEventListener('blur', () => store.set({ hoveredPlace: null }), { signal });
  ground.addEventListener(
    'keydown',
    (event) => {
      const at = cellOf(activePlace(store.get()) ?? { u: 0.5, v: 0.5 });
      const step = STEPS[event.key];
      if (step) {
        const { rows, cols } = fieldFor(store.get());
        const reach = event.shiftKey ? 4 : 1;
        hover(cellOf({ u: at.u + (step[1] * reach) / cols, v: at.v + (step[0] * reach) / rows }));
      } else if (event.key === 'Enter' || event.key === ' ') toggle(at);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  return frame;
}
