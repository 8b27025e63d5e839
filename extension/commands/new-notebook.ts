/** Notebooks that begin with a question about a picture. */
import path from 'node:path';
import * as vscode from 'vscode';
import { CONTROLLER_ID, NOTEBOOK_TYPE } from '../controller.ts';
import type { Command } from '../context.ts';
import { ourMetadata } from '../notebook-metadata.ts';

const PICTURES = '**/*.{png,jpg,jpeg,webp,PNG,JPG,JPEG,WEBP}';
const NOT_IN = '**/{node_modules,.git,out,dist}/**';

/** Opens a notebook about a picture of the workspace or, where there is none, about one of ours. */
export const newNotebook: Command = async ({ context, log }) => {
  const [found] = await Promise.resolve(vscode.workspace.findFiles(PICTURES, NOT_IN, 1)).catch((error: unknown) => {
    // Some hosts cannot search. A notebook can begin with any picture.
    log.warn(`pictures could not be looked for: ${String(error)}`);
    return [];
  });
  const picture = found?.fsPath ?? path.join(context.extensionPath, 'notebooks', 'images', 'cafe.png');
  await openNotebook([
    markdown('# Where does the model look?'),
    code(explainCall({ image: pathForCell(picture), question: 'What is in the picture?' })),
  ]);
};

/** Source of a cell that explains. */
export function explainCall(options: {
  readonly image: string;
  readonly question: string;
  readonly model?: string;
}): string {
  const entries = Object.entries(options).map(([name, value]) => `  ${name}: ${literal(value)},\n`);
  return `const e = await explain({\n${entries.join('')}});\ne`;
}

/** How a cell of an unsaved notebook names a file: from the workspace's folder where it lies within. */
export function pathForCell(file: string): string {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const relative = folder && path.relative(folder.uri.fsPath, file);
  const isInside = relative !== undefined && !relative.startsWith('..') && !path.isAbsolute(relative);
  return (isInside ? relative : file).split(path.sep).join('/');
}

/** Opens an unsaved notebook with our kernel chosen. */
export async function openNotebook(cells: vscode.NotebookCellData[]): Promise<vscode.NotebookDocument> {
  const data = new vscode.NotebookData(cells);
  data.metadata = { nbformat: 4, nbformat_minor: 5, metadata: ourMetadata() };
  const notebook = await vscode.workspace.openNotebookDocument(NOTEBOOK_TYPE, data);
  await vscode.window.showNotebookDocument(notebook);
  await chooseKernel();
  return notebook;
}

/** Gives the notebook that is shown to our kernel, without asking. */
export async function chooseKernel(): Promise<void> {
  await vscode.commands.executeCommand('notebook.selectKernel', {
    id: CONTROLLER_ID,
    extension: 'lvlm-lens.lvlm-lens',
  });
}

export function markdown(text: string): vscode.NotebookCellData {
  return new vscode.NotebookCellData(vscode.NotebookCellKind.Markup, text, 'markdown');
}

export function code(text: string): vscode.NotebookCellData {
  return new vscode.NotebookCellData(vscode.NotebookCellKind.Code, text, 'typescript');
}

/** A string as TypeScript source, in single quotes. */
function literal(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}
