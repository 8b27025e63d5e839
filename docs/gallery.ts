/**
 * Makes the gallery page from the example notebooks, as they were last executed:
 *
 *     node --import tsx docs/gallery.ts
 *
 * Every explanation in them becomes a picture and its line of plain text; the words are the notebooks' own.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { MIME_TYPE } from '../kernel/document.ts';
import { joinLines, readNotebook, type NotebookCell } from '../kernel/jupyter/notebook.ts';
import { cardPng } from '../kernel/report/card.ts';
import { escapeMarkdown } from '../kernel/report/markdown.ts';
import { plainText } from '../kernel/report/plain-text.ts';
import { readDocument } from '../renderer/read-document.ts';

const DOCS = fileURLToPath(new URL('.', import.meta.url));
const NOTEBOOKS = path.join(DOCS, '../notebooks');
const PICTURES = 'images/gallery';

/** From the first steps to one's own model. */
const ORDER = [
  'quickstart',
  'tokens-and-thresholds',
  'comparing-models',
  'is-it-faithful',
  'what-do-lvlms-look-at',
  'bring-your-own-model',
];

/** A heading one level lower than in its notebook, and what stands beneath it. */
function words(cell: NotebookCell): string {
  return joinLines(cell.source).replace(/^#/gmu, '##').trim();
}

/** Tables that cells show, as notebooks keep them for viewers. */
function tables(html: string): string {
  return html
    .replaceAll(/<(\/?)(?:thead|tbody)>/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** A cell's outputs as Markdown; pictures are written to files. */
async function shown(cell: NotebookCell, name: string): Promise<string[]> {
  if (cell.cell_type !== 'code') return [];
  const parts: string[] = [];
  for (const output of cell.outputs) {
    if (!('data' in output)) continue;
    const data = output.data as Record<string, unknown>;
    const html = data['text/html'];
    if (data[MIME_TYPE] !== undefined) {
      const document = readDocument(data[MIME_TYPE]);
      const picture = `${PICTURES}/${name}-${String(cell.id)}.png`;
      await writeFile(path.join(DOCS, picture), await cardPng(document));
      // What it shows is told in words beneath it.
      parts.push(`<img src="${picture}" width="760" alt="The card of this explanation">`);
      parts.push(escapeMarkdown(plainText(document)));
    } else if (typeof data['image/svg+xml'] === 'string' || Array.isArray(data['image/svg+xml'])) {
      const picture = `${PICTURES}/${name}-${String(cell.id)}.svg`;
      await writeFile(path.join(DOCS, picture), joinLines(data['image/svg+xml'] as string[]));
      const says = joinLines(data['text/plain'] as string | string[]);
      parts.push(
        `<img src="${picture}" width="640" alt="A figure; the line below says what it shows">`,
        escapeMarkdown(says),
      );
    } else if (typeof html === 'string' || Array.isArray(html)) parts.push(tables(joinLines(html as string[])));
  }
  return parts;
}

async function chapter(name: string): Promise<string> {
  const { notebook } = await readNotebook(path.join(NOTEBOOKS, `${name}.ipynb`));
  const parts: string[] = [];
  for (const [at, cell] of notebook.cells.entries()) {
    if (cell.cell_type === 'markdown') parts.push(words(cell));
    else {
      const outputs = await shown(cell, name);
      // Code whose output is not shown here is read in the notebook.
      if (outputs.length > 0) parts.push(`\`\`\`ts\n${joinLines(cell.source).trim()}\n\`\`\``, ...outputs);
    }
    if (at === 0) parts.push(`The whole notebook: [\`${name}.ipynb\`](../notebooks/${name}.ipynb).`);
  }
  return parts.join('\n\n');
}

/** The page, and its pictures on disk. */
async function gallery(): Promise<string> {
  const found = (await readdir(NOTEBOOKS))
    .filter((file) => file.endsWith('.ipynb'))
    .map((file) => path.parse(file).name);
  const unknown = found.filter((name) => !ORDER.includes(name));
  if (unknown.length > 0) throw new Error(`say where in the gallery these go: ${unknown.join(', ')}`);
  await rm(path.join(DOCS, PICTURES), { recursive: true, force: true });
  await mkdir(path.join(DOCS, PICTURES), { recursive: true });
  const chapters: string[] = [];
  for (const name of ORDER) chapters.push(await chapter(name));
  return [
    '# Gallery',
    'Made from the example notebooks by `node --import tsx docs/gallery.ts`: what they say, and what they showed when they were last executed. In VS Code, in JupyterLab and ' +
      'in exported pages each picture is interactive.',
    ...chapters,
    '',
  ].join('\n\n');
}

const target = path.join(DOCS, 'gallery.md');
const page = await format(await gallery(), { ...(await resolveConfig(target)), filepath: target });
const before = await readFile(target, 'utf8').catch(() => '');
if (page !== before) await writeFile(target, page);
console.log(target);
