/** The card as a PNG file, for hosts that show no more than that. */
import { createCanvas, loadImage, type Canvas, type Image } from 'canvas';
import sharp from 'sharp';
import { WIDTH as CARD_WIDTH, drawCard, type CardCanvas } from '../../renderer/card.ts';
import type { DocumentImage, LensDocument } from '../document.ts';
import { FONT_VARIATION, cardFont } from './fonts.ts';

const DENSITY = 2;

export { CARD_WIDTH };

/** As the view starts. */
const STYLE = { colourMap: 'viridis', opacity: 0.7, threshold: 0 } as const;

function cardCanvas(width: number, height: number): CardCanvas<Canvas> {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  context.fontVariationSettings = FONT_VARIATION;
  // Node's canvas has the same context as the browser's; only the types of its canvases and images differ.
  return { canvas, context: context as unknown as CardCanvas<Canvas>['context'] };
}

/** Ways to draw the card, each smaller than the one before: with coarser and fewer pictures, then with fewer colours. */
const DETAILS = [
  { pictureDensity: DENSITY, tokens: 10, colours: 256 },
  { pictureDensity: 1, tokens: 5, colours: 256 },
  { pictureDensity: 1, tokens: 5, colours: 96 },
  { pictureDensity: 0.75, tokens: 5, colours: 64 },
  { pictureDensity: 0.5, tokens: 3, colours: 48 },
] as const;

type Detail = (typeof DETAILS)[number];

/** A picture, or where its bytes are broken a grey one of its size. */
async function decoded({ data, width, height }: DocumentImage): Promise<Image | Canvas> {
  try {
    return await loadImage(Buffer.from(data, 'base64'));
  } catch {
    const canvas = createCanvas(width, height);
    const context = canvas.getContext('2d');
    context.fillStyle = '#8c8880';
    context.fillRect(0, 0, width, height);
    return canvas;
  }
}

/** The most of a text whose letters are looked at. */
const MOST_CHARACTERS = 8000;

/** All text that the document brings onto its card. */
function wordsOf({ explanations }: LensDocument): string {
  return explanations
    .flatMap(({ label, question, answer, model }) => [label, question, answer.text, model.id])
    .map((text) => text.slice(0, MOST_CHARACTERS))
    .join('\n');
}

async function encode(canvas: Canvas, colours: number): Promise<Buffer> {
  const { width, height } = canvas;
  return sharp(canvas.data(), { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .png({ palette: true, colours, dither: 0, effort: 1 })
    .withMetadata({ density: 72 * DENSITY })
    .toBuffer();
}

/**
 * Draws the card at twice its size, for sharp text, with a palette: a fifth of the bytes of full colour.
 * @param limit bytes; a card above it is drawn with less detail, the last time whatever it weighs
 * @returns PNG
 */
export async function cardPng(document: LensDocument, limit = 200_000): Promise<Buffer> {
  const pictures = await Promise.all(document.images.map(decoded));
  const font = cardFont(wordsOf(document));
  const draw = ({ colours, ...detail }: Detail): Promise<Buffer> =>
    encode(
      drawCard<Canvas>(document, {
        createCanvas: cardCanvas,
        pictures: pictures as unknown as readonly CanvasImageSource[],
        font,
        density: DENSITY,
        ...detail,
        style: STYLE,
        scale: document.kind === 'comparison' && document.axis !== 'methods' ? 'shared' : 'own',
      }),
      colours,
    );
  let card: Buffer | undefined;
  for (const detail of DETAILS) {
    card = await draw(detail);
    if (card.length <= limit) break;
  }
  return card!;
}
