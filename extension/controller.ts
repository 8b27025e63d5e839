/** The notebook controller 'LVLM Lens (TypeScript)'. */
import os from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { CellError } from '../kernel/jupyter/events.ts';
import { KernelGone } from '../kernel/jupyter/kernel-process.ts';
import { CellOutputs, type Writable } from './cell-outputs.ts';
import type { Log } from './log.ts';
import { NotebookKernel } from './notebook-kernel.ts';
import { claim, isForUs } from './notebook-metadata.ts';
import { readSettings, SECTION } from './settings.ts';

export const NOTEBOOK_TYPE = 'jupyter-notebook';
export const CONTROLLER_ID = 'lvlm-lens';

/** A cell that waits for those before it. */
interface Waiting {
  readonly cell: vscode.NotebookCell;
  readonly execution: vscode.NotebookCellExecution;
}

/** A notebook that our kernel runs. */
interface Served {
  readonly kernel: NotebookKernel;
  waiting: Waiting[];
  working: boolean;
  /** Closes the input boxes of the cell that runs. */
  asking: vscode.CancellationTokenSource;
}

export class LensController implements vscode.Disposable {
  readonly #log: Log;
  readonly #controller: vscode.NotebookController;
  readonly #served = new Map<vscode.NotebookDocument, Served>();
  /** Notebooks for which the user chose us. */
  readonly #chosen = new Set<vscode.NotebookDocument>();
  readonly #subscriptions: vscode.Disposable[] = [];

  constructor(log: Log) {
    this.#log = log;
    const controller = vscode.notebooks.createNotebookController(
      CONTROLLER_ID,
      NOTEBOOK_TYPE,
      'LVLM Lens (TypeScript)',
      (cells, notebook) => this.#execute(cells, notebook),
    );
    controller.supportedLanguages = ['typescript'];
    controller.supportsExecutionOrder = true;
    controller.description = 'TypeScript cells that explain vision-language models';
    controller.detail = 'No Jupyter and no Python needed';
    controller.interruptHandler = (notebook) => {
      this.interrupt(notebook);
    };
    this.#controller = controller;
    const prefer = (notebook: vscode.NotebookDocument): void => {
      if (notebook.notebookType !== NOTEBOOK_TYPE || !isForUs(notebook)) return;
      controller.updateNotebookAffinity(notebook, vscode.NotebookControllerAffinity.Preferred);
    };
    vscode.workspace.notebookDocuments.forEach(prefer);
    this.#subscriptions.push(
      controller,
      vscode.workspace.onDidOpenNotebookDocument(prefer),
      vscode.workspace.onDidCloseNotebookDocument((notebook) => void this.#close(notebook)),
      controller.onDidChangeSelectedNotebooks(({ notebook, selected }) => {
        if (selected) this.#chosen.add(notebook);
        else {
          this.#chosen.delete(notebook);
          void this.#close(notebook);
        }
      }),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration(SECTION)) void this.#offerRestart();
      }),
    );
  }

  /** The kernel of a notebook that the user gave to us; undefined for those of other kernels. */
  kernelOf(notebook: vscode.NotebookDocument): NotebookKernel | undefined {
    return this.#chosen.has(notebook) ? this.#serve(notebook).kernel : undefined;
  }

  /** Stops the running cell, and forgets those that wait. */
  interrupt(notebook: vscode.NotebookDocument): void {
    const served = this.#served.get(notebook);
    if (!served) return;
    giveUp(served);
    served.kernel.interrupt();
  }

  /** A new kernel process: variables are gone, outputs stay. */
  async restart(notebook: vscode.NotebookDocument): Promise<void> {
    const served = this.#served.get(notebook);
    if (served) {
      giveUp(served);
      await served.kernel.stop();
    }
    await this.#serve(notebook).kernel.running();
  }

  /** Notebooks whose kernel runs. */
  get running(): vscode.NotebookDocument[] {
    return [...this.#served].filter(([, { kernel }]) => kernel.current).map(([notebook]) => notebook);
  }

  /** Ends all kernels. */
  async stop(): Promise<void> {
    await Promise.all([...this.#served.keys()].map((notebook) => this.#close(notebook)));
  }

  dispose(): void {
    void this.stop();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #serve(notebook: vscode.NotebookDocument): Served {
    let served = this.#served.get(notebook);
    if (!served) {
      served = {
        kernel: new NotebookKernel(folderOf(notebook), this.#log),
        waiting: [],
        working: false,
        asking: new vscode.CancellationTokenSource(),
      };
      this.#served.set(notebook, served);
    }
    return served;
  }

  async #close(notebook: vscode.NotebookDocument): Promise<void> {
    const served = this.#served.get(notebook);
    if (notebook.isClosed) this.#chosen.delete(notebook);
    if (!served) return;
    this.#served.delete(notebook);
    giveUp(served);
    await served.kernel.stop();
  }

  async #execute(cells: readonly vscode.NotebookCell[], notebook: vscode.NotebookDocument): Promise<void> {
    const served = this.#serve(notebook);
    for (const cell of cells) {
      served.waiting.push({ cell, execution: this.#controller.createNotebookCellExecution(cell) });
    }
    if (served.working) return;
    served.working = true;
    try {
      await claim(notebook);
      for (let next = served.waiting.shift(); next; next = served.waiting.shift()) {
        // Cells after one that failed do not run: they may build on it.
        if (!(await this.#run(served, next))) giveUp(served);
      }
    } finally {
      served.working = false;
    }
  }

  /** @returns whether it went well */
  async #run(served: Served, { cell, execution }: Waiting): Promise<boolean> {
    execution.start(Date.now());
    await execution.clearOutput();
    const code = cell.document.getText();
    if (code.trim() === '') {
      execution.end(undefined);
      return true;
    }
    let active: vscode.NotebookCellExecution | undefined = execution;
    const outputs = new CellOutputs(
      served.kernel.displays,
      async (work) => {
        if (active) await work(active);
        else await this.#writeLate(cell, work);
      },
      (error) => this.#log.warn(`an output could not be shown: ${String(error)}`),
    );
    served.asking = new vscode.CancellationTokenSource();
    const end = async (success: boolean | undefined): Promise<void> => {
      await outputs.settled();
      active = undefined;
      execution.end(success, Date.now());
    };
    try {
      const { process } = await served.kernel.running();
      const reply = await process.execute(
        { code, allowInput: true },
        {
          onEvent: (event) => {
            outputs.add(event);
          },
          onAsk: (prompt, password) => ask(prompt, password, served.asking.token),
        },
      );
      execution.executionOrder = reply.executionCount;
      await end(reply.status === 'ok');
      return reply.status === 'ok';
    } catch (error) {
      outputs.add({ type: 'error', ...described(error) });
      this.#log.error(error instanceof Error ? error : String(error));
      await end(false);
      return false;
    } finally {
      served.asking.dispose();
    }
  }

  /** For what a timer of the cell prints after its end: VS Code takes outputs only of cells that run. */
  async #writeLate(cell: vscode.NotebookCell, work: (cell: Writable) => Promise<void>): Promise<void> {
    if (cell.index < 0 || cell.notebook.isClosed) return;
    const { executionOrder, success, timing } = cell.executionSummary ?? {};
    const again = this.#controller.createNotebookCellExecution(cell);
    again.executionOrder = executionOrder;
    again.start(timing?.startTime);
    try {
      await work(again);
    } finally {
      again.end(success, timing?.endTime);
    }
  }

  async #offerRestart(): Promise<void> {
    const running = this.running;
    if (running.length === 0) return;
    this.#log.debug(`settings are now ${JSON.stringify(readSettings())}`);
    const restart = 'Restart Kernel';
    const choice = await vscode.window.showInformationMessage(
      'The new settings of LVLM Lens apply to kernels that start from now on.',
      restart,
    );
    if (choice === restart) await Promise.all(running.map((notebook) => this.restart(notebook)));
  }
}

/** Cells that wait do not run, and nobody is asked any more. */
function giveUp(served: Served): void {
  for (const { execution } of served.waiting.splice(0)) execution.end(undefined);
  served.asking.cancel();
}

/** Where a notebook's cells run: its own folder, or the workspace's while it is not saved. */
function folderOf(notebook: vscode.NotebookDocument): string {
  if (notebook.uri.scheme === 'file') return path.dirname(notebook.uri.fsPath);
  const [first] = vscode.workspace.workspaceFolders ?? [];
  return first?.uri.scheme === 'file' ? first.uri.fsPath : os.homedir();
}

/** Asks for a cell that waits for `input()`. @throws where the user gives up */
async function ask(prompt: string, password: boolean, token: vscode.CancellationToken): Promise<string> {
  const answer = await vscode.window.showInputBox({ prompt, password, ignoreFocusOut: true }, token);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

/** Why a cell could not run at all. */
function described(error: unknown): CellError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const evalue =
    error instanceof KernelGone ? `${message}. Its variables are lost; the next cell starts a new one.` : message;
  return { ename: name, evalue, traceback: [`${name}: ${evalue}`] };
}
