/** Restart Kernel: variables are gone, outputs stay. */
import * as vscode from 'vscode';
import type { Command } from '../context.ts';
import { notebookOf } from './target.ts';

export const restartKernel: Command = async ({ controller }, target) => {
  const notebook = notebookOf(target);
  if (!notebook) {
    await vscode.window.showInformationMessage('Open the notebook whose kernel is to be restarted.');
    return;
  }
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: '$(sync~spin) Restarting the kernel' },
    async () => await controller()?.restart(notebook),
  );
};
