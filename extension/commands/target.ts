/** Which notebook a command is about. */
import * as vscode from 'vscode';

/** What VS Code gives to commands of the notebook's tool bar. */
interface ToolbarTarget {
  readonly notebookEditor?: { readonly notebookUri?: vscode.Uri };
}

/** The notebook on whose tool bar the command was clicked, else the one that is shown. */
export function notebookOf(target: unknown): vscode.NotebookDocument | undefined {
  const uri = (target as ToolbarTarget | undefined)?.notebookEditor?.notebookUri?.toString();
  const named = uri && vscode.workspace.notebookDocuments.find((each) => each.uri.toString() === uri);
  return named || vscode.window.activeNotebookEditor?.notebook;
}
