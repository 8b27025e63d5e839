/** What cells tell, as VS Code shows it and its notebook files store it. */
import { Buffer } from 'node:buffer';
import * as vscode from 'vscode';
import type { CellError, DisplayData, MimeBundle } from '../kernel/jupyter/events.ts';
import { linkedStack } from './error-links.ts';

const { NotebookCellOutput, NotebookCellOutputItem } = vscode;

/** Raster pictures are base64 in a bundle and bytes in VS Code; SVG is text in both. */
const RASTER = /^image\/(?!svg\+xml)/;

/** One item for each MIME type, our own first: VS Code shows the first that it has a renderer for. */
export function itemsOf(data: MimeBundle): vscode.NotebookCellOutputItem[] {
  return Object.entries(data).map(([mime, value]) => {
    if (RASTER.test(mime) && typeof value === 'string') {
      return new NotebookCellOutputItem(Buffer.from(value, 'base64'), mime);
    }
    return NotebookCellOutputItem.text(typeof value === 'string' ? value : JSON.stringify(value), mime);
  });
}

/** Names of metadata are those by which VS Code's own .ipynb support writes outputs back as Jupyter has them. */
export function displayOutput(
  outputType: 'display_data' | 'execute_result',
  { data, metadata }: DisplayData,
  executionCount?: number,
): vscode.NotebookCellOutput {
  return new NotebookCellOutput(itemsOf(data), {
    outputType,
    metadata: { ...metadata },
    ...(executionCount !== undefined && { executionCount }),
  });
}

export function streamItem(name: 'stdout' | 'stderr', text: string): vscode.NotebookCellOutputItem {
  return name === 'stdout' ? NotebookCellOutputItem.stdout(text) : NotebookCellOutputItem.stderr(text);
}

export function streamOutput(name: 'stdout' | 'stderr', text: string): vscode.NotebookCellOutput {
  return new NotebookCellOutput([streamItem(name, text)], { outputType: 'stream' });
}

/** Shown with links to the lines; stored with the kernel's own traceback. */
export function errorOutput({ ename, evalue, traceback }: CellError): vscode.NotebookCellOutput {
  return new NotebookCellOutput(
    [NotebookCellOutputItem.error({ name: ename, message: evalue, stack: linkedStack(traceback) })],
    {
      outputType: 'error',
      originalError: { output_type: 'error', ename, evalue, traceback: [...traceback] },
    },
  );
}

/** News of long work: the bar, and below it what there is of the result. */
export function progressItems(text: string, png?: string): vscode.NotebookCellOutputItem[] {
  return itemsOf(png === undefined ? { 'text/plain': text } : { 'image/png': png, 'text/plain': text });
}
