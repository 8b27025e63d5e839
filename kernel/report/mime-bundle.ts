import { MIME_TYPE, type LensDocument } from '../document.ts';
import { cardPng } from './card.ts';
import { markdown } from './markdown.ts';
import { plainText } from './plain-text.ts';

/**
 * What a notebook saves of a document. No `text/html` and no `application/json`: hosts without our view prefer both to the
 * card, and neither would show anything there.
 * @returns by MIME type: the document itself as an object, a PNG card in base64, Markdown, and one line of text
 */
export async function mimeBundle(document: LensDocument): Promise<Record<string, unknown>> {
  const card = await cardPng(document);
  return {
    [MIME_TYPE]: document,
    'image/png': card.toString('base64'),
    'text/markdown': markdown(document),
    'text/plain': plainText(document),
  };
}
