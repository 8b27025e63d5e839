import { AXIS_TITLES } from '../../renderer/wording.ts';
import type { LensDocument } from '../document.ts';
import { documentBlock, escapeHtml, htmlPage } from './html.ts';
import { cardPng } from './card.ts';
import { pageScript } from './page-script.ts';

/** What a page about the document is called. */
function titleOf({ kind, axis, explanations }: LensDocument): string {
  if (kind === 'comparison') return axis ? AXIS_TITLES[axis] : 'Comparison';
  return explanations[0]?.question ?? 'Explanation';
}

/**
 * One document as a stand-alone HTML file with the interactive view.
 * @param options.script the browser script, where it is not the built one
 */
export async function renderPage(document: LensDocument, options: { readonly script?: string } = {}): Promise<string> {
  const title = titleOf(document);
  const card = await cardPng(document);
  return htmlPage({
    title: `${title} · LVLM Lens`,
    body: `<h1>${escapeHtml(title)}</h1>\n${documentBlock(document, card.toString('base64'))}\n<footer>Made by LVLM Lens.</footer>`,
    script: options.script ?? (await pageScript()),
  });
}
