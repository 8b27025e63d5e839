/** Notebook files: nbformat 4, read and written so that a cell nobody touched keeps its bytes. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { LensError } from '../errors.ts';

/** Text as notebooks hold it: one string, or its lines with their line ends. */
const multiline = z.union([z.string(), z.array(z.string())]);

const metadata = z.record(z.string(), z.unknown());

/** Data by MIME type: JSON types hold any value, all others text. */
const mimeBundle = z.record(z.string(), z.unknown());

const output = z.discriminatedUnion('output_type', [
  z.looseObject({ output_type: z.literal('stream'), name: z.string(), text: multiline }),
  z.looseObject({ output_type: z.literal('display_data'), data: mimeBundle, metadata }),
  z.looseObject({
    output_type: z.literal('execute_result'),
    data: mimeBundle,
    metadata,
    execution_count: z.int().nullable(),
  }),
  z.looseObject({
    output_type: z.literal('error'),
    ename: z.string(),
    evalue: z.string(),
    traceback: z.array(z.string()),
  }),
]);

const cellId = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, "-" or "_"')
  .optional();

const cell = z.discriminatedUnion('cell_type', [
  z.looseObject({ cell_type: z.literal('markdown'), id: cellId, metadata, source: multiline }),
  z.looseObject({ cell_type: z.literal('raw'), id: cellId, metadata, source: multiline }),
  z.looseObject({
    cell_type: z.literal('code'),
    id: cellId,
    metadata,
    source: multiline,
    execution_count: z.int().nullable(),
    outputs: z.array(output),
  }),
]);

const notebook = z.looseObject({
  nbformat: z.literal(4),
  nbformat_minor: z.int().nonnegative(),
  metadata,
  cells: z.array(cell),
});

export type Notebook = z.infer<typeof notebook>;
export type NotebookCell = z.infer<typeof cell>;
export type CodeCell = Extract<NotebookCell, { cell_type: 'code' }>;
export type NotebookOutput = z.infer<typeof output>;

/** How a file writes its JSON, kept when it is written again. */
export interface NotebookStyle {
  /** Spaces or a tab per level; Jupyter writes one space. */
  readonly indent: string;
  readonly finalNewline: boolean;
}

export const JUPYTER_STYLE: NotebookStyle = { indent: ' ', finalNewline: true };

export interface NotebookFile {
  readonly notebook: Notebook;
  readonly style: NotebookStyle;
}

/**
 * Parses a notebook. Minor versions below 5 become 4.5: cells without an id are given one.
 * @param name what messages call it, usually the path
 * @throws LensError where it is no notebook of format 4
 */
export function parseNotebook(text: string, name: string): NotebookFile {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new LensError(
      `"${name}" is not a notebook: it is not valid JSON (${(error as Error).message})`,
      'Give the path of an .ipynb file.',
      { cause: error },
    );
  }
  const version = (json as { nbformat?: unknown } | null)?.nbformat;
  if (typeof version === 'number' && version !== 4) {
    throw new LensError(
      `"${name}" is a notebook of format ${version}, and only format 4 can be read`,
      'Open it in Jupyter and save it again, which converts it.',
    );
  }
  // zod would order the keys by the schema, so the parsed JSON itself is kept.
  const result = notebook.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue!.path.join('.');
    throw new LensError(`"${name}" is not a valid notebook: ${where === '' ? '' : `${where}: `}${issue!.message}`);
  }
  return { notebook: withIds(json as Notebook), style: styleOf(text) };
}

/** Cell ids came with format 4.5. */
function withIds(old: Notebook): Notebook {
  const seen = new Set<string>();
  let changed = false;
  const cells = old.cells.map((each) => {
    if (each.id !== undefined && !seen.has(each.id)) {
      seen.add(each.id);
      return each;
    }
    changed = true;
    const id = randomUUID().slice(0, 8);
    seen.add(id);
    return { ...each, id };
  });
  if (!changed && old.nbformat_minor >= 5) return old;
  return { ...old, nbformat_minor: Math.max(5, old.nbformat_minor), cells };
}

function styleOf(text: string): NotebookStyle {
  const indent = /^\s*\{\r?\n([ \t]+)"/.exec(text)?.[1];
  return { indent: indent ?? '', finalNewline: text.endsWith('\n') };
}

export function formatNotebook({ notebook, style }: NotebookFile): string {
  return JSON.stringify(notebook, undefined, style.indent) + (style.finalNewline ? '\n' : '');
}

/** @throws LensError where the file is missing, unreadable or no notebook */
export async function readNotebook(file: string): Promise<NotebookFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw fileError('read', file, error);
  }
  return parseNotebook(text, file);
}

/** Writes beside the file first and renames: an interrupted write leaves the old notebook whole. */
export async function writeNotebook(file: string, notebookFile: NotebookFile): Promise<void> {
  const partial = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.part`);
  try {
    await writeFile(partial, formatNotebook(notebookFile));
    await rename(partial, file);
  } catch (error) {
    throw fileError('write', file, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a folder',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  ENOSPC: 'the disk is full',
};

function fileError(verb: 'read' | 'write', file: string, error: unknown): LensError {
  const { code, message } = error as NodeJS.ErrnoException;
  const folderMissing = verb === 'write' && code === 'ENOENT';
  const reason = folderMissing ? 'its folder does not exist' : (REASONS[code ?? ''] ?? message);
  return new LensError(
    `cannot ${verb} the notebook "${file}": ${reason}`,
    folderMissing ? 'Create the folder first.' : verb === 'read' ? 'Check the path.' : undefined,
    { cause: error },
  );
}

/** A cell's source or an output's text as one string. */
export function joinLines(text: string | readonly string[]): string {
  return typeof text === 'string' ? text : text.join('');
}

/** Text as its lines, each with its line end: how Jupyter stores sources and text outputs, so that they diff well. */
export function splitLines(text: string): string[] {
  return text === '' ? [] : (text.match(/[^\n]*\n|[^\n]+$/g) ?? []);
}
