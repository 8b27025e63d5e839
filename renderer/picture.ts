/** The picture with whatever lies over it: the heat, the baseline, a curve's step, and the cursor. */
import type { DocumentImage } from '../kernel/document.ts';
import { createCellCursor } from './cell-cursor.ts';
import { element } from './element.ts';
import { createHeatmap, type HeatLayer } from './heatmap.ts';
import { fieldOf, mainMap, rankOf, valueAt } from './saliency.ts';
import type { ViewState } from './store.ts';
import { blendedPins, shownMap, type Panel } from './subject.ts';
import { createVeil, removedCells } from './veil.ts';
import { figure } from './wording.ts';

/** The source of an `<img>` for a picture of the document. */
export function pictureSource({ mime, data }: DocumentImage): string {
  return `data:${mime};base64,${data}`;
}

/** The document's picture as an element that has its size before it has its pixels. */
export function createPictureElement(image: DocumentImage): HTMLImageElement {
  return element('img', {
    class: 'picture',
    src: pictureSource(image),
    width: image.width,
    height: image.height,
    alt: image.name ? `The picture that was asked about: ${image.name}` : 'The picture that was asked about',
    draggable: 'false',
  });
}

/** The maps that a panel's picture shows: one, or those that are blended. */
export function shownLayers(panel: Panel, state: ViewState): readonly HeatLayer[] {
  const blended = blendedPins(panel, state);
  if (blended.length > 0) {
    return blended.map(({ field, colour }) => ({ field, colour, scale: panel.scaleOf(field, state) }));
  }
  const shown = shownMap(panel, state);
  return shown ? [{ field: shown.field, scale: panel.scaleOf(shown.field, state) }] : [];
}

/** The baseline's name, where provenance tells it. */
export function baselineName({ explanation }: Panel): string {
  const { baseline } = explanation.provenance.parameters;
  return typeof baseline === 'string' ? baseline : (explanation.curves[0]?.baseline ?? '');
}

/** A box of the picture's shape with the picture in it. */
export function createFrame(image: DocumentImage, signal: AbortSignal) {
  const picture = createPictureElement(image);
  const shape = { 'aspect-ratio': `${image.width} / ${image.height}` };
  const frame = element('div', { class: 'frame', style: shape }, picture);
  const broken = (): void => frame.append(element('p', { class: 'broken' }, 'This picture cannot be shown.'));
  picture.addEventListener('error', broken, { signal });
  return { frame, picture };
}

/** A panel's picture. */
export function createPicture(panel: Panel): HTMLElement {
  const { image, explanation, store, signal } = panel;
  const { frame, picture } = createFrame(image, signal);
  const veil = createVeil(picture, image, signal);
  frame.append(veil.canvas);
  const main = mainMap(explanation);
  let layers: readonly HeatLayer[] = [];
  if (main) {
    const heat = createHeatmap(image.width, image.height);
    frame.append(...heat.elements);
    store.watch((state) => {
      layers = shownLayers(panel, state);
      heat.show(layers, state);
    }, signal);
    frame.append(
      createCellCursor({
        label:
          `Heatmap of ${main.rows} by ${main.cols} cells over the picture. ` +
          'Arrow keys move over the cells, Enter holds a place, Escape lets go. ' +
          'Hold O for the original picture, B for the baseline.',
        store,
        fieldFor: (state) => shownMap(panel, state)?.field ?? fieldOf(main),
        valueOf: (field, cell) => `${figure(valueAt(field, cell))} · rank ${rankOf(field, cell)}`,
        signal,
      }),
    );
  }
  let veiled = '';
  store.watch((state) => {
    frame.dataset['mode'] = state.mode;
    const step = state.step?.panel === panel.index ? state.step : null;
    const curve = step && explanation.curves[step.curve];
    const shown = state.peek ?? (curve ? 'step' : 'map');
    frame.dataset['shows'] = shown;
    const key = shown === 'baseline' ? shown : shown === 'step' ? `${step?.curve},${step?.point}` : '';
    if (key === veiled) return;
    veiled = key;
    if (shown === 'baseline') frame.toggleAttribute('data-unknown', !veil.show(baselineName(panel)));
    else if (shown === 'step' && curve && step && main) {
      veil.show(curve.baseline, removedCells(fieldOf(main), curve.kind, curve.x[step.point] ?? 0));
    } else veil.hide();
  }, signal);
  return frame;
}
