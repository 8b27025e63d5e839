/** Explain This Image…: asks for the question and the model, and opens a notebook with the explanation. */
import path from 'node:path';
import * as vscode from 'vscode';
import type { Command } from '../context.ts';
import { code, explainCall, markdown, openNotebook, pathForCell } from './new-notebook.ts';
import { chooseModel } from './select-model.ts';

export const explainImage: Command = async (extension, target) => {
  const image = target instanceof vscode.Uri ? target : await pickImage();
  if (!image) return;
  const name = path.basename(image.fsPath);
  const question = await vscode.window.showInputBox({
    title: `Explain ${name}`,
    prompt: 'What shall the model be asked about this picture?',
    value: 'What is in the picture?',
    validateInput: (text) => (text.trim() === '' ? 'A question is needed.' : undefined),
    ignoreFocusOut: true,
  });
  if (question === undefined) return;
  const model = await chooseModel(extension, `Which model shall answer “${question}”?`);
  if (model === undefined) return;
  const notebook = await openNotebook([
    markdown(`# ${escaped(name)}`),
    code(explainCall({ image: pathForCell(image.fsPath), question: question.trim(), model })),
  ]);
  await vscode.commands.executeCommand('notebook.cell.execute', {
    ranges: [{ start: 1, end: 2 }],
    document: notebook.uri,
  });
};

async function pickImage(): Promise<vscode.Uri | undefined> {
  const picked = await vscode.window.showOpenDialog({
    title: 'Explain an image',
    openLabel: 'Explain',
    filters: { Pictures: ['png', 'jpg', 'jpeg', 'webp', 'gif', 'avif', 'tif', 'tiff'] },
  });
  return picked?.[0];
}

/** A file's name as Markdown that shows it as it is. */
function escaped(name: string): string {
  return name.replace(/[\\`*_{}[\]()<>#+\-.!|&]/g, '\\$&');
}
