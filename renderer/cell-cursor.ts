/** A cursor over a map's cells, moved by the pointer or by the arrow keys. All grounds of a document share the place. */
import { element } from './element.ts';
import { cellAt, type Cell, type Field, type Place } from './saliency.ts';
import { activePlace, type Store, type ViewState } from './store.ts';

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

export interface CellCursorOptions {
  readonly label: string;
  readonly store: Store<ViewState>;
  /** The map whose cells the cursor stands on. */
  readonly fieldFor: (state: ViewState) => Field;
  /** What the cursor shows beside its cell. */
  readonly valueOf: (field: Field, cell: Cell, state: ViewState) => string;
  readonly signal: AbortSignal;
}

/** The ground over a picture: it takes the pointer and the focus, and shows the cursor. */
export function createCellCursor({ label, store, fieldFor, valueOf, signal }: CellCursorOptions): HTMLElement {
  const value = element('span', { class: 'cursor-value' });
  const cursor = element('div', { class: 'cursor', hidden: true }, value);
  const ground = element(
    'div',
    {
      class: 'ground',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'heatmap',
      'aria-label': label,
    },
    cursor,
  );
  const cellOf = (place: Place): Cell => cellAt(fieldFor(store.get()), place);

  store.watch((state) => {
    const place = activePlace(state);
    cursor.hidden = place === null;
    if (!place) return;
    const field = fieldFor(state);
    const cell = cellAt(field, place);
    cursor.classList.toggle('pinned', state.pinnedPlace !== null && state.hoveredPlace === null);
    cursor.style.setProperty('left', `${(100 * cell.col) / field.cols}%`);
    cursor.style.setProperty('top', `${(100 * cell.row) / field.rows}%`);
    cursor.style.setProperty('width', `${100 / field.cols}%`);
    cursor.style.setProperty('height', `${100 / field.rows}%`);
    cursor.classList.toggle('near-right', cell.u > 0.6);
    cursor.classList.toggle('near-top', cell.v < 0.15);
    value.textContent = valueOf(field, cell, state);
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

  const on = <K extends keyof HTMLElementEventMap>(type: K, listener: (event: HTMLElementEventMap[K]) => void): void =>
    ground.addEventListener(type, listener, { signal });
  on('pointermove', (event) => hover(placeOf(event)));
  on('pointerleave', () => store.set({ hoveredPlace: null }));
  on('click', (event) => toggle(placeOf(event)));
  on('focus', () => {
    if (ground.matches(':focus-visible')) hover(cellOf(activePlace(store.get()) ?? { u: 0.5, v: 0.5 }));
  });
  on('blur', () => store.set({ hoveredPlace: null }));
  on('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
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
  });
  return ground;
}
