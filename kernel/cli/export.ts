/** `lvlm-lens export NOTEBOOK` */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LensError } from '../errors.ts';
import { readNotebook } from '../jupyter/notebook.ts';
import { renderNotebookPage } from '../report/notebook-page.ts';
import { note } from './terminal.ts';

/** Makes one self-contained HTML page of a notebook, as it was last executed. */
export async function exportCommand(notebook: string, { output }: { output?: string }): Promise<void> {
  const target = output ?? path.join(path.dirname(notebook), `${path.parse(notebook).name}.html`);
  note(`wrote ${await exportFile(notebook, target)}`);
}

/**
 * @param folder where pictures that the notebook's Markdown shows are looked for
 * @returns the page's absolute path
 */
export async function exportFile(notebook: string, output: string, folder = path.dirname(notebook)): Promise<string> {
  const { notebook: content } = await readNotebook(notebook);
  const target = path.resolve(output);
  const page = await renderNotebookPage(content, {
    folder: path.resolve(folder),
  });
  try {
    await writeFile(target, page);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'its folder does not exist' : String(error);
    throw new LensError(`cannot write "${output}": ${reason}`, 'Create the folder first or choose another.', {
      cause: error,
    });
  }
  return target;
}
