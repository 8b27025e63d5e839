/** What each encoder of a model contributed, with a map for each where there are such. */
import type { EncoderContribution } from '../kernel/document.ts';
import { canvasOf, element } from './element.ts';
import { heatSize, paintLayers } from './heatmap.ts';
import { pictureSource } from './picture.ts';
import { fieldOf, ownScale } from './saliency.ts';
import type { Panel } from './subject.ts';
import { contributionShares, encoderTable, percent } from './tables.ts';
import { createTextTable } from './text-table.ts';

/** Longer side of a small picture's canvas, px. */
const SIDE = 192;

/** The table, and under it the picture as each encoder looks at it; nothing of a model with one encoder. */
export function createEncoders(panel: Panel): HTMLElement | null {
  const { explanation } = panel;
  const table = encoderTable(explanation);
  if (!table) return null;
  const encoders = explanation.encoders!;
  const shares = contributionShares(encoders);
  const maps = encoders.flatMap((encoder, at) => (encoder.map ? [createMap(panel, encoder, shares?.[at])] : []));
  return element(
    'details',
    { class: 'fold encoders' },
    element('summary', {}, table.caption),
    createTextTable(table, 'contributions'),
    maps.length === 0 ? null : element('div', { class: 'multiples' }, ...maps),
  );
}

/** Each map on its own scale: where this encoder looks, not how much. */
function createMap(
  { image, store, signal }: Panel,
  { name, map }: EncoderContribution,
  share: number | undefined,
): HTMLElement {
  const { canvas, context } = canvasOf(...heatSize(image.width, image.height, SIDE));
  canvas.setAttribute('class', 'small-heat');
  const field = fieldOf(map!);
  store.watch((state) => {
    const pixels = context.createImageData(canvas.width, canvas.height);
    paintLayers([{ field, scale: ownScale(field) }], state, pixels);
    context.putImageData(pixels, 0, 0);
  }, signal);
  return element(
    'figure',
    { class: 'multiple' },
    element(
      'div',
      { class: 'small-frame', style: { 'aspect-ratio': `${image.width} / ${image.height}` } },
      element('img', {
        class: 'picture',
        alt: `Map of the encoder ${name}`,
        src: pictureSource(image),
        draggable: 'false',
      }),
      canvas,
    ),
    element(
      'figcaption',
      {},
      element('span', { class: 'multiple-name' }, name),
      element('span', { class: 'multiple-ratio' }, share === undefined ? '' : percent(share)),
    ),
  );
}
