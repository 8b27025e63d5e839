/** A name's type and documentation as VS Code shows them. */
import * as vscode from 'vscode';
import type { Inspection } from '../../kernel/jupyter/ipc-protocol.ts';

export function hoverText({ signature, documentation }: Inspection): vscode.MarkdownString[] {
  const code = new vscode.MarkdownString().appendCodeblock(signature, 'typescript');
  return documentation === '' ? [code] : [code, plain(documentation)];
}

/** Documentation may come from any package: Markdown, but neither HTML nor commands. */
export function plain(documentation: string): vscode.MarkdownString {
  const text = new vscode.MarkdownString(documentation);
  text.isTrusted = false;
  text.supportHtml = false;
  return text;
}
