/** Saving and copying what is seen: as a figure (PNG, SVG), as a card, as data, and as code. */
import type { LensDocument } from '../kernel/document.ts';
import { drawCard } from './card.ts';
import { reproduction } from './code.ts';
import { copy, whenPressed } from './copy.ts';
import { canvasOf, element } from './element.ts';
import { drawFigure } from './figure.ts';
import { pictureSource } from './picture.ts';
import type { Store, ViewState } from './store.ts';
import type { Panel } from './subject.ts';

const SANS = 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** Device pixels per px. */
const DENSITY = 2;

interface SaveOptions {
  readonly document: LensDocument;
  readonly panels: readonly Panel[];
  readonly store: Store<ViewState>;
  readonly signal: AbortSignal;
}

async function decodePicture(source: string): Promise<HTMLImageElement> {
  const picture = element('img', { src: source });
  await picture.decode();
  return picture;
}

async function png(canvas: HTMLCanvasElement): Promise<Blob> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('this browser could not encode the picture');
  return blob;
}

async function figurePng({ panels, store }: SaveOptions): Promise<Blob> {
  const { markup, width, height } = drawFigure(panels, store.get());
  const picture = await decodePicture(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(markup)}`);
  const { canvas, context } = canvasOf(width * DENSITY, height * DENSITY);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return png(canvas);
}

async function figureSvg({ panels, store }: SaveOptions): Promise<string> {
  return drawFigure(panels, store.get()).markup;
}

async function card({ document, store }: SaveOptions): Promise<Blob> {
  const { scale, colourMap, opacity, threshold } = store.get();
  const pictures = await Promise.all(document.images.map((image) => decodePicture(pictureSource(image))));
  const canvas = drawCard(document, {
    createCanvas: canvasOf,
    pictures,
    font: SANS,
    density: DENSITY,
    pictureDensity: DENSITY,
    tokens: 10,
    style: { colourMap, opacity, threshold },
    scale,
  });
  return png(canvas);
}

interface Format {
  readonly label: string;
  readonly suffix: string;
  readonly mime: string;
  make(options: SaveOptions): Promise<string | Blob>;
}

/** Everything that can be taken away, by the name that the buttons carry. */
const FORMATS: Readonly<Record<string, Format>> = {
  png: { label: 'Figure as seen, PNG at 2×', suffix: '.png', mime: 'image/png', make: figurePng },
  svg: { label: 'Figure as seen, SVG', suffix: '.svg', mime: 'image/svg+xml', make: figureSvg },
  card: { label: 'Whole card, PNG at 2×', suffix: '-card.png', mime: 'image/png', make: card },
  json: {
    label: 'Data, JSON',
    suffix: '.json',
    mime: 'application/json',
    make: async ({ document }) => `${JSON.stringify(document, undefined, 2)}\n`,
  },
  code: {
    label: 'Code that makes it again',
    suffix: '.ts',
    mime: 'text/plain',
    make: async ({ document }) => reproduction(document),
  },
};

/** Offers content as a file. The link has to be in the page: VS Code watches for clicks on links there. */
function download(content: string | Blob, mime: string, name: string, near: Node): void {
  const blob = typeof content === 'string' ? new Blob([content], { type: mime }) : content;
  const link = element('a', { href: URL.createObjectURL(blob), download: name, hidden: true });
  near.appendChild(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A file name that says what was asked. */
function fileName(document: LensDocument, suffix: string): string {
  const words = (document.explanations[0]?.question ?? 'comparison').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return `${words.slice(0, 8).join('-').slice(0, 60) || 'explanation'}${suffix}`;
}

/** The fold-out with a row for each format. */
export function createSaving(options: SaveOptions): HTMLElement {
  const { document, signal } = options;
  const rows = Object.entries(FORMATS).map(([kind, { label, suffix, mime, make }]) => {
    const save = element('button', { type: 'button', 'data-save': kind, 'aria-label': `Save: ${label}` }, 'Save');
    const take = element('button', { type: 'button', 'data-copy': kind, 'aria-label': `Copy: ${label}` }, 'Copy');
    const row = element('div', { class: 'save-row' }, element('span', {}, label), save, take);
    whenPressed(
      save,
      'Saved',
      async () => download(await make(options), mime, fileName(document, suffix), row),
      signal,
    );
    whenPressed(take, 'Copied', async () => copy(await make(options), row), signal);
    return row;
  });
  return element(
    'details',
    { class: 'fold save' },
    element('summary', {}, 'Save or copy'),
    element('div', { class: 'save-rows' }, ...rows),
  );
}
