/** Opens a copy of the quickstart notebook: the extension's own folder is not for working in. */
import * as vscode from 'vscode';
import type { Command } from '../context.ts';
import { chooseKernel } from './new-notebook.ts';

export const openQuickstart: Command = async ({ context, controller }) => {
  const folder = vscode.Uri.joinPath(context.globalStorageUri, 'quickstart');
  const notebook = vscode.Uri.joinPath(folder, 'quickstart.ipynb');
  await vscode.workspace.fs.createDirectory(folder);
  const { fs } = vscode.workspace;
  const isThere = await fs.stat(notebook).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    const source = vscode.Uri.joinPath(context.extensionUri, 'notebooks');
    for (const part of ['images', 'quickstart.ipynb']) {
      await fs.copy(vscode.Uri.joinPath(source, part), vscode.Uri.joinPath(folder, part), { overwrite: true });
    }
  }
  await vscode.window.showNotebookDocument(await vscode.workspace.openNotebookDocument(notebook));
  if (controller()) await chooseKernel();
};
