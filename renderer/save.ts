/** Saving what is seen as PNG files. */
import type { LensDocument } from '../kernel/document.ts';
import { drawCard } from './card.ts';
import { element } from './element.ts';
import { heatSize, paintLevels } from './heatmap.ts';
import { pictureSource } from './picture.ts';
import { fieldOf, resample, type Field, type Scale } from './saliency.ts';
import type { Store, ViewState } from './store.ts';
import { shownMap } from './picture.ts';

const SANS = 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

interface SaveOptions {
  readonly document: LensDocument;
  readonly store: Store<ViewState>;
  /** The token whose map a panel shows. */
  readonly activeToken: (panel: number, state: ViewState) => number | null;
  readonly scaleOf: (field: Field, state: ViewState) => Scale;
  readonly signal: AbortSignal;
}

function createCanvas(width: number, height: number) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas to draw on');
  return { canvas, context };
}

async function decodePicture(source: string): Promise<HTMLImageElement> {
  const picture = element('img', { src: source });
  await picture.decode();
  return picture;
}

/** The pictures as they are shown now, heat included, side by side where there are several. */
async function heatPicture({ document, store, activeToken, scaleOf }: SaveOptions): Promise<HTMLCanvasElement> {
  const state = store.get();
  const panels = document.explanations.map((explanation, panel) => {
    const image = document.images[explanation.image]!;
    // Small pictures are enlarged, so that the heat between their pixels is kept.
    const enlarge = Math.max(1, Math.ceil(768 / Math.max(image.width, image.height)));
    return { explanation, image, panel, width: image.width * enlarge, height: image.height * enlarge };
  });
  const { canvas, context } = createCanvas(
    panels.reduce((sum, { width }) => sum + width, 0) + 16 * (panels.length - 1),
    Math.max(...panels.map(({ height }) => height)),
  );
  let left = 0;
  for (const { explanation, image, panel, width, height } of panels) {
    context.drawImage(await decodePicture(pictureSource(image)), left, 0, width, height);
    const map = shownMap(explanation, activeToken(panel, state));
    if (map) {
      const heat = createCanvas(...heatSize(image.width, image.height));
      const pixels = heat.context.createImageData(heat.canvas.width, heat.canvas.height);
      const field = fieldOf(map);
      paintLevels(resample(field, scaleOf(field, state), pixels.width, pixels.height), state, pixels.data);
      heat.context.putImageData(pixels, 0, 0);
      context.drawImage(heat.canvas, left, 0, width, height);
    }
    left += width + 16;
  }
  return canvas;
}

async function card({ document, store }: SaveOptions): Promise<HTMLCanvasElement> {
  const { scale, ...style } = store.get();
  const pictures = await Promise.all(document.images.map((image) => decodePicture(pictureSource(image))));
  return drawCard(document, {
    createCanvas,
    pictures,
    font: SANS,
    density: 2,
    pictureDensity: 2,
    tokens: 10,
    style,
    scale,
  });
}

/** Offers a canvas as a file. The link has to be in the page: VS Code watches for clicks on links there. */
async function download(canvas: HTMLCanvasElement, name: string, near: Node): Promise<void> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('this browser could not encode the picture');
  const link = element('a', { href: URL.createObjectURL(blob), download: name, hidden: true });
  near.appendChild(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A file name that says what was asked. */
function fileName(document: LensDocument, suffix: string): string {
  const words = (document.explanations[0]?.question ?? 'comparison').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return `${words.slice(0, 8).join('-').slice(0, 60) || 'explanation'}-${suffix}.png`;
}

/** The save buttons. */
export function createSaveButtons(options: SaveOptions): HTMLElement {
  const buttons = element('div', { class: 'save', role: 'group', 'aria-label': 'Save' });
  const add = (
    label: string,
    hint: string,
    suffix: string,
    draw: (options: SaveOptions) => Promise<HTMLCanvasElement>,
  ): void => {
    const button = element('button', { type: 'button', title: hint, 'data-save': suffix }, label);
    button.addEventListener(
      'click',
      () => {
        draw(options)
          .then((canvas) => download(canvas, fileName(options.document, suffix), buttons))
          .catch((error: unknown) => {
            button.textContent = 'Could not save';
            button.title = error instanceof Error ? error.message : String(error);
          });
      },
      { signal: options.signal },
    );
    buttons.append(button);
  };
  if (options.document.explanations.some(({ maps }) => maps.length > 0)) {
    add('Save heatmap', 'Save the picture with its heat as PNG', 'heatmap', heatPicture);
  }
  add('Save card', 'Save a complete card as PNG: picture, answer, maps and scores', 'card', card);
  return buttons;
}
