/** One HTML file that needs nothing else: no network, no scripts or styles but its own. */
import { createHash } from 'node:crypto';
import MarkdownIt from 'markdown-it';
import { MIME_TYPE, type LensDocument } from '../document.ts';
import { PAGE_STYLES } from './page-styles.ts';
import { plainText } from './plain-text.ts';

const { escapeHtml } = new MarkdownIt().utils;

export { escapeHtml };

/** A `Content-Security-Policy` source that admits exactly this inline text. */
function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
}

/** A document as an inert block for the page's script, with a card in its place where scripts are off. */
export function documentBlock(document: LensDocument, cardBase64?: string): string {
  // `<` could end the block; in JSON it only ever stands inside strings, where \u003c means the same.
  const json = JSON.stringify(document).replaceAll('<', '\\u003c');
  const card = cardBase64
    ? `<noscript><img class="card" alt="${escapeHtml(plainText(document))}" src="data:image/png;base64,${cardBase64}"></noscript>`
    : '';
  return `<script type="${MIME_TYPE}">${json}</script>${card}`;
}

/** An inline script may not contain its own end, nor what browsers take for the start of a comment. */
function inlineScript(script: string): string {
  return script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

export interface HtmlPage {
  readonly title: string;
  /** Markup, with everything in it escaped or sanitised. */
  readonly body: string;
  /** The script of the view; `pageScript()` reads it. */
  readonly script: string;
}

/**
 * The page's frame. Its policy admits this script and this style sheet by their hashes, pictures inside the file, and
 * nothing else; trusted types turn any attempt to parse text as markup into an error.
 */
export function htmlPage({ title, body, script }: HtmlPage): string {
  const code = inlineScript(script);
  const policy = [
    `default-src 'none'`,
    `script-src ${hashSource(code)}`,
    `style-src ${hashSource(PAGE_STYLES)}`,
    `img-src data:`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `require-trusted-types-for 'script'`,
    `trusted-types 'none'`,
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="LVLM Lens">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLES}</style>
</head>
<body>
<main>
${body}
</main>
<script>${code}</script>
</body>
</html>
`;
}
