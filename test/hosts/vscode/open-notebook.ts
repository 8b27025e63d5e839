/** A notebook that is open in VS Code, as a test drives it. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { until } from '../gestures.ts';
import type { VsCodeHost } from './host.ts';

/** What a code cell has, as the extension host sees it. */
export interface CellState {
  readonly order: number | undefined;
  /** Undefined while it has not ended. */
  readonly success: boolean | undefined;
  readonly outputs: readonly { readonly mimes: readonly string[]; readonly text: string }[];
}

const NOTEBOOK = `const notebook = vscode.workspace.notebookDocuments.find(({ uri }) => uri.fsPath === args.file);`;

const METADATA = {
  kernelspec: { name: 'lvlm-lens', display_name: 'LVLM Lens (TypeScript)', language: 'typescript' },
};

/** Where the notebook that is shown names our kernel as its own. */
export function kernelLabel({ page }: VsCodeHost): Locator {
  return page.locator('.kernel-label', { hasText: 'LVLM Lens (TypeScript)' }).filter({ visible: true }).first();
}

export class OpenNotebook {
  readonly host: VsCodeHost;
  readonly file: string;

  private constructor(host: VsCodeHost, file: string) {
    this.host = host;
    this.file = file;
  }

  /** Opens a notebook of the workspace, and waits until our kernel is its kernel. */
  static async open(host: VsCodeHost, name: string): Promise<OpenNotebook> {
    const notebook = new OpenNotebook(host, host.file(name));
    await notebook.show();
    await kernelLabel(host).waitFor();
    return notebook;
  }

  /** Opens a notebook with nothing in it but a heading. */
  static async make(host: VsCodeHost, name: string): Promise<OpenNotebook> {
    const heading = { cell_type: 'markdown', id: 'heading', metadata: {}, source: `# ${name}` };
    const content = { nbformat: 4, nbformat_minor: 5, metadata: METADATA, cells: [heading] };
    await writeFile(host.file(name), JSON.stringify(content));
    return await OpenNotebook.open(host, name);
  }

  /** Makes it the editor that commands are about. */
  show(): Promise<void> {
    return this.host.show(this.file);
  }

  /** The states of its code cells. */
  states(): Promise<readonly CellState[]> {
    return this.call<readonly CellState[]>(`
      const cells = notebook.getCells().filter(({ kind }) => kind === vscode.NotebookCellKind.Code);
      return cells.map(({ executionSummary, outputs }) => ({
        order: executionSummary?.executionOrder,
        success: executionSummary?.success,
        outputs: outputs.map(({ items }) => ({
          mimes: items.map(({ mime }) => mime),
          text: new TextDecoder().decode(items.find(({ mime }) => /^text|stdout|stderr|error/.test(mime))?.data),
        })),
      }));`);
  }

  async last(): Promise<CellState> {
    return (await this.states()).at(-1)!;
  }

  /** Puts a code cell at the end and runs it. */
  async begin(code: string): Promise<void> {
    await this.call(
      `const index = notebook.cellCount;
       const edit = new vscode.WorkspaceEdit();
       const cell = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, args.code, 'typescript');
       edit.set(notebook.uri, [vscode.NotebookEdit.insertCells(index, [cell])]);
       await vscode.workspace.applyEdit(edit);
       const ranges = [new vscode.NotebookRange(index, index + 1)];
       const editor = vscode.window.visibleNotebookEditors.find((each) => each.notebook === notebook);
       if (editor) {
         editor.selections = ranges;
         editor.revealRange(ranges[0]);
       }
       void vscode.commands.executeCommand('notebook.cell.execute', {
         ranges: [{ start: index, end: index + 1 }], document: notebook.uri,
       });`,
      { code },
    );
  }

  /** The last cell, once it has ended. */
  over(): Promise<CellState> {
    return until('the cell is over', async () => {
      const last = await this.last();
      return last.success !== undefined && last;
    });
  }

  /** Waits until the last cell shows how far its work is. */
  async progress(): Promise<void> {
    await until('progress is shown', async () => /\|.*\d+\/\d+/.test((await this.last()).outputs[0]?.text ?? ''));
  }

  /** Puts a code cell at the end, runs it, and waits until it is over. */
  async run(code: string): Promise<CellState> {
    await this.begin(code);
    return await this.over();
  }

  /** Runs a cell that must end well. @returns the text of its last output */
  async value(code: string): Promise<string> {
    const { success, outputs } = await this.run(code);
    const text = outputs.at(-1)?.text ?? '';
    if (success !== true) throw new Error(`${code}: ${text}`);
    return text;
  }

  /** As the user does by the button of the tool bar. */
  async interrupt(): Promise<void> {
    await this.show();
    await this.host.command('notebook.cancelExecution');
  }

  async restart(): Promise<void> {
    await this.show();
    await this.host.command('lvlmLens.restartKernel');
  }

  /** Closes it without asking what becomes of changes. */
  async close(): Promise<void> {
    await this.show();
    await this.host.command('workbench.action.revertAndCloseActiveEditor');
  }

  /** Runs a function body in the extension host, with `notebook` in scope. */
  call<T>(code: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return this.host.call<T>(`${NOTEBOOK}\n${code}`, { ...args, file: this.file });
  }

  get name(): string {
    return path.basename(this.file);
  }
}
