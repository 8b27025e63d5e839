/** Export Notebook as Interactive HTML: one file with the linked views, as they were last executed. */
import path from 'node:path';
import * as vscode from 'vscode';
import { lensCommand, withNotice } from '../command-line.ts';
import type { Command } from '../context.ts';
import { notebookOf } from './target.ts';

export const exportHtml: Command = async ({ context, log }, target) => {
  const source = target instanceof vscode.Uri ? target : (notebookOf(target)?.uri ?? (await pickNotebook()));
  if (!source) return;
  const saved = await savedNotebook(source);
  if (!saved) return;
  const file = await vscode.window.showSaveDialog({
    title: 'Export as interactive HTML',
    defaultUri: saved.with({ path: saved.path.replace(/\.ipynb$/i, '') + '.html' }),
    filters: { HTML: ['html'] },
    saveLabel: 'Export',
  });
  if (!file) return;
  await withNotice(`Exporting ${path.basename(saved.fsPath)}`, () =>
    lensCommand(context, log, ['export', saved.fsPath, '--output', file.fsPath]),
  );
  const open = 'Open';
  if ((await vscode.window.showInformationMessage(`Exported to ${file.fsPath}`, open)) === open) await show(file);
};

/** The notebook's file with all that is on screen in it; undefined where the user does not save it. */
async function savedNotebook(uri: vscode.Uri): Promise<vscode.Uri | undefined> {
  const open = vscode.workspace.notebookDocuments.find((each) => each.uri.toString() === uri.toString());
  if (!open || (!open.isDirty && !open.isUntitled)) return uri;
  return await vscode.workspace.save(open.uri);
}

async function pickNotebook(): Promise<vscode.Uri | undefined> {
  const files = await vscode.workspace.findFiles('**/*.ipynb', '**/node_modules/**', 200);
  const items = files.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  if (items.length === 0) {
    await vscode.window.showInformationMessage('There is no notebook in this workspace. Open one and export it.');
    return undefined;
  }
  const picked = await vscode.window.showQuickPick(items, { title: 'Which notebook?' });
  return picked?.uri;
}

/** In the browser where the file is on this computer; else beside the notebook, in a tab that runs nothing but the page. */
async function show(file: vscode.Uri): Promise<void> {
  if (vscode.env.remoteName === undefined && (await vscode.env.openExternal(file))) return;
  const panel = vscode.window.createWebviewPanel(
    'lvlmLens.page',
    path.basename(file.fsPath),
    vscode.ViewColumn.Beside,
    {
      enableScripts: true,
      localResourceRoots: [],
    },
  );
  panel.webview.html = Buffer.from(await vscode.workspace.fs.readFile(file)).toString('utf8');
}
