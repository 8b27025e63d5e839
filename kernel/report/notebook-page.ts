/** A whole notebook as one HTML file in which every explanation is interactive. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { imageSize } from 'image-size';
import { InvalidDocument, readDocument } from '../../renderer/read-document.ts';
import { MIME_TYPE, type LensDocument } from '../document.ts';
import { joinLines, type Notebook, type NotebookCell, type NotebookOutput } from '../jupyter/notebook.ts';
import { documentBlock, escapeHtml, htmlPage } from './html.ts';
import { pageScript } from './page-script.ts';
import { highlight, safeHtml, safeMarkdown, type PictureFinder } from './safe-markup.ts';

export interface NotebookPageOptions {
  readonly title?: string;
  /** Where the notebook lies: pictures that its Markdown shows from there are put into the page. */
  readonly folder?: string;
  /** The browser script, where it is not the built one. */
  readonly script?: string;
}

/** Base64 as notebooks store it, with its line breaks taken out; anything else is no picture. */
function base64Of(data: MimeBundle, type: string): string | undefined {
  const text = bundleText(data, type)?.replace(/\s+/gu, '');
  return text !== undefined && /^[A-Za-z0-9+/]+=*$/.test(text) ? text : undefined;
}

function embedded(value: unknown): LensDocument | undefined {
  if (value === undefined) return undefined;
  try {
    return readDocument(value);
  } catch (error) {
    if (error instanceof InvalidDocument) return undefined;
    throw error;
  }
}

type MimeBundle = Readonly<Record<string, unknown>>;

/** A bundle's text of a type: notebooks store it whole or as a list of lines. */
function bundleText(data: MimeBundle, type: string): string | undefined {
  const value = data[type];
  if (typeof value === 'string') return value;
  return Array.isArray(value) && value.every((line) => typeof line === 'string') ? value.join('') : undefined;
}

type Show = (data: MimeBundle) => string | undefined;

function picture(type: string): Show {
  return (data) => {
    const base64 = base64Of(data, type);
    return base64 && `<img alt="Output" src="data:${type};base64,${base64}">`;
  };
}

/** How each type is shown, best first: the first that the output has and that is sound. */
const SHOWN: readonly Show[] = [
  (data) => {
    const lens = embedded(data[MIME_TYPE]);
    return lens && documentBlock(lens, base64Of(data, 'image/png'));
  },
  // Inside <img>, SVG runs no scripts and fetches nothing.
  (data) => {
    const svg = bundleText(data, 'image/svg+xml');
    return svg && `<img alt="Output" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`;
  },
  picture('image/png'),
  picture('image/jpeg'),
  picture('image/webp'),
  picture('image/gif'),
  (data) => {
    const markup = bundleText(data, 'text/html');
    return markup === undefined ? undefined : `<div class="text">${safeHtml(markup)}</div>`;
  },
  (data) => {
    const source = bundleText(data, 'text/markdown');
    return source === undefined ? undefined : `<div class="text">${safeMarkdown(source)}</div>`;
  },
  (data) => {
    const text = bundleText(data, 'text/plain');
    return text === undefined ? undefined : terminal(text);
  },
];

/** What a terminal would show, without its colours. */
function terminal(text: string, kind = ''): string {
  const plain = escapeHtml(stripVTControlCharacters(text).replace(/\n$/, ''));
  return `<pre${kind ? ` class="${kind}"` : ''}>${plain}</pre>`;
}

function shownOutput(output: NotebookOutput): string {
  if (output.output_type === 'stream')
    return terminal(joinLines(output.text), output.name === 'stderr' ? 'stderr' : '');
  if (output.output_type === 'error') {
    return terminal(
      output.traceback.length > 0 ? output.traceback.join('\n') : `${output.ename}: ${output.evalue}`,
      'error',
    );
  }
  for (const show of SHOWN) {
    const markup = show(output.data);
    if (markup !== undefined && markup !== '') return markup;
  }
  return '';
}

const ATTACHMENT = 'attachment:';

/** Pictures of a Markdown cell: its attachments, and files that lie in the notebook's folder. */
function pictureFinder(cell: NotebookCell, folder: string | undefined): PictureFinder {
  return (source) => {
    if (source.startsWith(ATTACHMENT) && cell.cell_type === 'markdown') {
      const attachments = (cell['attachments'] ?? {}) as Readonly<Record<string, MimeBundle | undefined>>;
      const bundle = attachments[decodeURI(source.slice(ATTACHMENT.length))] ?? {};
      const type = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'].find((one) => base64Of(bundle, one));
      return type && `data:${type};base64,${base64Of(bundle, type)}`;
    }
    return folder === undefined ? undefined : pictureFile(folder, source);
  };
}

/** A picture file as a data URL, if it lies inside the folder and is a picture. */
function pictureFile(folder: string, source: string): string | undefined {
  try {
    const file = path.resolve(folder, decodeURI(source));
    const inside = path.relative(path.resolve(folder), file);
    if (inside.startsWith('..') || path.isAbsolute(inside)) return undefined;
    const bytes = readFileSync(file);
    const type = imageSize(bytes).type;
    const mime = type === 'jpg' ? 'jpeg' : type;
    return mime && /^(?:png|jpeg|webp|gif)$/.test(mime)
      ? `data:image/${mime};base64,${bytes.toString('base64')}`
      : undefined;
  } catch {
    return undefined;
  }
}

function shownCell(cell: NotebookCell, language: string, folder: string | undefined): string {
  if (cell.cell_type === 'markdown') {
    return `<section class="cell text">${safeMarkdown(joinLines(cell.source), pictureFinder(cell, folder))}</section>`;
  }
  const source = joinLines(cell.source);
  if (cell.cell_type === 'raw') return `<section class="cell"><pre>${escapeHtml(source)}</pre></section>`;
  const count = typeof cell.execution_count === 'number' ? `<span class="count">[${cell.execution_count}]</span>` : '';
  const code =
    source.trim() === ''
      ? ''
      : `<div class="code">${count}<pre><code>${highlight(source, language)}</code></pre></div>`;
  const outputs = cell.outputs.map(shownOutput).filter((markup) => markup !== '');
  const shown = outputs.map((markup) => `<div class="output">${markup}</div>`).join('\n');
  return `<section class="cell">${code}${shown}</section>`;
}

/** The first heading of the notebook, without its marks. */
function firstHeading({ cells }: Notebook): string | undefined {
  for (const cell of cells) {
    const heading = cell.cell_type === 'markdown' ? /^#{1,3}\s+(.+)$/mu.exec(joinLines(cell.source))?.[1] : undefined;
    if (heading) return heading.replace(/[*_`]/gu, '').trim();
  }
  return undefined;
}

const LANGUAGE_KEYS = [
  ['kernelspec', 'language'],
  ['language_info', 'name'],
] as const;

/** What the code cells are written in. */
function languageOf({ metadata }: Notebook): string {
  for (const [part, key] of LANGUAGE_KEYS) {
    const language = (metadata[part] as Readonly<Record<string, unknown>> | undefined)?.[key];
    if (typeof language === 'string') return language.toLowerCase();
  }
  return 'typescript';
}

/**
 * Makes one HTML file of an executed notebook: Markdown sanitised, code highlighted, outputs as saved, explanations
 * interactive. It needs no network, and its policy forbids it any.
 * @param notebook as `readNotebook` gives it; a stranger may have written what is in it
 * @throws {LensError} when the package has not been built
 */
export async function renderNotebookPage(notebook: Notebook, options: NotebookPageOptions = {}): Promise<string> {
  const language = languageOf(notebook);
  const heading = firstHeading(notebook);
  const title = options.title ?? heading ?? 'Notebook';
  const cells = notebook.cells.map((cell) => shownCell(cell, language, options.folder));
  return htmlPage({
    title,
    body: [
      ...(heading === undefined ? [`<h1>${escapeHtml(title)}</h1>`] : []),
      ...cells,
      '<footer>Made by LVLM Lens.</footer>',
    ].join('\n'),
    script: options.script ?? (await pageScript()),
  });
}
