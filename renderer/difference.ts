/** Two maps of a comparison subtracted: where the one is hotter, and where the other. */
import { rgb } from 'd3-color';
import type { LensDocument } from '../kernel/document.ts';
import { createCellCursor } from './cell-cursor.ts';
import { differenceColour } from './colour-maps.ts';
import { canvasOf, element } from './element.ts';
import { heatSize } from './heatmap.ts';
import { createFrame } from './picture.ts';
import { cellAt, fieldFrom, resample, valueAt, type Field } from './saliency.ts';
import { activePlace, type Store, type ViewState } from './store.ts';
import { shownMap, type Panel } from './subject.ts';
import { fixed } from './wording.ts';

/**
 * a − b, each on its scale: −1 … 1 on a's grid.
 * Scales of their own make maps of different units comparable; a shared one compares the values themselves.
 */
export function differenceOf(a: Panel, b: Panel, state: ViewState): Field | undefined {
  const [one, other] = [shownMap(a, state)?.field, shownMap(b, state)?.field];
  if (!one || !other) return undefined;
  const { rows, cols } = one;
  const [first, second] = [
    resample(one, a.scaleOf(one, state), cols, rows),
    resample(other, b.scaleOf(other, state), cols, rows),
  ];
  return fieldFrom(
    rows,
    cols,
    first.map((value, at) => value - second[at]!),
  );
}

/** 256 RGBA entries from b (0) to a (255); nothing where they are equal. */
function differenceTable(opacity: number): Uint8ClampedArray<ArrayBuffer> {
  const table = new Uint8ClampedArray(256 * 4);
  for (let step = 0; step < 256; step++) {
    const t = (step - 127.5) / 127.5;
    const { r, g, b } = rgb(differenceColour(Math.sign(t) * (0.35 + 0.65 * Math.abs(t))));
    table.set([r, g, b, 255 * Math.min(1, opacity * 1.3) * Math.abs(t) ** 0.7], step * 4);
  }
  return table;
}

function createMapChoice({ explanations }: LensDocument, label: string, chosen: number): HTMLSelectElement {
  return element(
    'select',
    { 'aria-label': label, 'data-control': `difference-${label}` },
    ...explanations.map((one, at) => element('option', { value: at, selected: at === chosen }, one.label)),
  );
}

/** The fold-out with the difference of any two panels over the picture; nothing where no two of them share one. */
export function createDifference(
  panels: readonly Panel[],
  store: Store<ViewState>,
  signal: AbortSignal,
): HTMLElement | null {
  const mapped = panels.filter(({ explanation }) => explanation.maps.length > 0);
  const [first] = mapped;
  const second = mapped.find((panel) => panel !== first && panel.image === first?.image);
  if (!first || !second) return null;
  const [from, minus] = [
    createMapChoice(first.document, 'first', first.index),
    createMapChoice(first.document, 'second', second.index),
  ];
  const body = element('div', { class: 'difference-body' });
  const fold = element(
    'details',
    { class: 'fold difference' },
    element('summary', {}, 'Difference of two maps'),
    element('div', { class: 'row' }, from, element('span', {}, 'minus'), minus),
    body,
  );

  let ending = new AbortController();
  signal.addEventListener('abort', () => ending.abort());
  const rebuild = (): void => {
    if (!fold.open) return;
    ending.abort();
    ending = new AbortController();
    body.replaceChildren(
      ...differencePicture(panels[Number(from.value)]!, panels[Number(minus.value)]!, store, ending.signal),
    );
  };
  for (const select of [from, minus]) select.addEventListener('change', rebuild, { signal });
  fold.addEventListener('toggle', rebuild, { signal });
  return fold;
}

function differencePicture(a: Panel, b: Panel, store: Store<ViewState>, signal: AbortSignal): readonly HTMLElement[] {
  if (a.image !== b.image) {
    return [element('p', { class: 'note' }, 'These maps lie over different pictures: there is nothing to subtract.')];
  }
  if (!differenceOf(a, b, store.get())) {
    return [
      element('p', { class: 'note' }, 'One of these answers does not depend on the image: it has no map to subtract.'),
    ];
  }
  const { frame } = createFrame(a.image, signal);
  const size = heatSize(a.image.width, a.image.height);
  const { canvas, context } = canvasOf(...size);
  canvas.setAttribute('class', 'heat-difference');
  const image = new ImageData(...size);
  const to = new Uint32Array(image.data.buffer);
  let field = differenceOf(a, b, store.get())!;
  store.watch((state) => {
    field = differenceOf(a, b, state) ?? field;
    const table = new Uint32Array(differenceTable(state.opacity).buffer);
    resample(field, [-1, 1], ...size, state.sampling).forEach(
      (level, at) => (to[at] = table[Math.round(level * 255)]!),
    );
    context.putImageData(image, 0, 0);
  }, signal);
  frame.append(
    canvas,
    createCellCursor({
      label: `Difference of ${a.explanation.label} and ${b.explanation.label}: ${field.rows} by ${field.cols} cells. Arrow keys move over the cells.`,
      store,
      fieldFor: () => field,
      valueOf: (own, cell) => signed(valueAt(own, cell)),
      signal,
    }),
  );
  const said = element('output', { class: 'note' });
  store.watch((state) => {
    const place = activePlace(state);
    const cell = place && cellAt(field, place);
    said.textContent = cell
      ? `Row ${cell.row + 1}, column ${cell.col + 1}: difference ${signed(valueAt(field, cell))} on a scale from −1 to 1.`
      : 'Each map on its scale, the second taken from the first.';
  }, signal);
  const colours = Array.from({ length: 25 }, (_, stop) => differenceColour((stop - 12) / 12));
  const ramp = element('div', {
    class: 'ramp',
    style: { 'background-image': `linear-gradient(to right, ${colours.join(', ')})` },
  });
  return [
    element('div', { class: 'difference-picture' }, frame),
    element(
      'div',
      { class: 'legend' },
      element('div', { class: 'bar', 'aria-hidden': 'true' }, ramp),
      element(
        'div',
        { class: 'ticks' },
        element('span', {}, `hotter for ${b.explanation.label}`),
        element('span', {}, `hotter for ${a.explanation.label}`),
      ),
    ),
    said,
  ];
}

function signed(value: number): string {
  return value > 0 ? `+${fixed(value)}` : fixed(value);
}
