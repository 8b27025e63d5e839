import sharp from 'sharp';
import { MIME_TYPE, type LensDocument } from '../document.ts';
import { CARD_WIDTH, cardPng } from './card.ts';
import { markdown } from './markdown.ts';
import { plainText } from './plain-text.ts';

/** The most that a bundle should weigh, in bytes of JSON: a notebook holds many, and is saved as a whole again and again. */
const BUDGET = 296_000;

/** Of the card's PNG, in bytes. */
const LARGE = 140_000;
const LEAST = 30_000;

/**
 * What a notebook saves of a document. No `text/html` and no `application/json`: hosts without our view prefer both to the
 * card, and neither would show anything there. Of the rest most hosts (GitHub, nbviewer, nbconvert) show Markdown alone, so the
 * card stands in it as well, small.
 * @returns by MIME type: the document itself as an object, a PNG card in base64, Markdown, and one line of text
 */
export async function mimeBundle(document: LensDocument): Promise<Record<string, unknown>> {
  const told = markdown(document);
  const card = await cardPng(document, LARGE);
  const small = await smallCard(card);
  const data = Buffer.byteLength(JSON.stringify(document)) + Buffer.byteLength(told) + base64Length(small);
  const room = Math.max(Math.floor(((BUDGET - data) * 3) / 4), LEAST);
  const png = card.length <= room ? card : await cardPng(document, room);
  return {
    [MIME_TYPE]: document,
    'image/png': png.toString('base64'),
    'text/markdown': `${picture(small)}\n\n${told}`,
    'text/plain': plainText(document),
  };
}

/** The card at one pixel to a px, in a twentieth of the bytes. */
async function smallCard(card: Buffer): Promise<Buffer> {
  return sharp(card).resize(CARD_WIDTH).webp({ quality: 60, effort: 4 }).toBuffer();
}

/** Markdown has no word for a picture's width, and HTML in it is kept everywhere. What the picture shows is told beneath it. */
function picture(small: Buffer): string {
  return `<img width="${CARD_WIDTH}" alt="The card of this explanation; it is told below." src="data:image/webp;base64,${small.toString('base64')}">`;
}

const base64Length = ({ length }: Buffer): number => Math.ceil(length / 3) * 4;
