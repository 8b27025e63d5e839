/** What a notebook says of the kernel that ran it: other programs choose ours by it. */
import * as vscode from 'vscode';

/** As Jupyter lists us. */
const KERNELSPEC = { display_name: 'LVLM Lens (TypeScript)', language: 'typescript', name: 'lvlm-lens' } as const;

/** VS Code writes execution counts only into notebooks that name their language. */
const LANGUAGE = { file_extension: '.ts', mimetype: 'text/x-typescript', name: 'typescript' } as const;

interface Metadata {
  readonly kernelspec?: { readonly name?: string };
  readonly language_info?: { readonly name?: string };
}

/** The part of a notebook's metadata that is in its file. VS Code keeps it one level down. */
function stored(notebook: vscode.NotebookDocument): Metadata {
  return (notebook.metadata as { metadata?: Metadata }).metadata ?? {};
}

/** Whether a notebook was written for our kernel. */
export function isForUs(notebook: vscode.NotebookDocument): boolean {
  return stored(notebook).kernelspec?.name === KERNELSPEC.name;
}

/** Metadata of a notebook that our kernel runs. */
export function ourMetadata(before: Metadata = {}): Readonly<Record<string, unknown>> {
  return {
    ...before,
    kernelspec: KERNELSPEC,
    language_info: before.language_info?.name === LANGUAGE.name ? before.language_info : LANGUAGE,
  };
}

/** Writes into a notebook that our kernel runs it, where it does not say so yet. */
export async function claim(notebook: vscode.NotebookDocument): Promise<void> {
  const before = stored(notebook);
  if (isForUs(notebook) && before.language_info?.name === LANGUAGE.name) return;
  const edit = new vscode.WorkspaceEdit();
  edit.set(notebook.uri, [
    vscode.NotebookEdit.updateNotebookMetadata({ ...notebook.metadata, metadata: ourMetadata(before) }),
  ]);
  await vscode.workspace.applyEdit(edit);
}
