/** Carries what a cell tells into its outputs, in order, and no faster than VS Code takes it. */
import type * as vscode from 'vscode';
import type { CellEvent } from '../kernel/jupyter/events.ts';
import { joined } from './joined-events.ts';
import { displayOutput, errorOutput, itemsOf, progressItems, streamItem, streamOutput } from './output-items.ts';

/** Where outputs with a display id are: also those of earlier cells can change. */
export type Displays = Map<string, vscode.NotebookCellOutput[]>;

/** Stands for a cell whose outputs can be changed. An execution of VS Code is one. */
export type Writable = Pick<
  vscode.NotebookCellExecution,
  'appendOutput' | 'appendOutputItems' | 'replaceOutputItems' | 'replaceOutput' | 'clearOutput'
>;

type StreamName = 'stdout' | 'stderr';

interface Stream {
  readonly name: StreamName;
  readonly output: vscode.NotebookCellOutput;
  readonly texts: string[];
}

export class CellOutputs {
  readonly #displays: Displays;
  readonly #onFailure: (error: unknown) => void;
  /** Gives access to the cell for as long as `work` needs it. */
  readonly #write: (work: (cell: Writable) => Promise<void>) => Promise<void>;
  #waiting: CellEvent[] = [];
  #working: Promise<void> | undefined;
  /** As this cell has them now, in order. */
  #shown: vscode.NotebookCellOutput[] = [];
  /** The last output, where it is a stream: more text goes there. */
  #stream: Stream | undefined;
  /** All streams: VS Code does not write appended text back into the outputs that we hold. */
  readonly #streams = new Map<vscode.NotebookCellOutput, Stream>();
  readonly #progress = new Map<string, vscode.NotebookCellOutput>();
  /** The next output takes the place of all before it. */
  #clearFirst = false;

  /**
   * @param displays of the notebook; outputs with a display id are entered there
   * @param onFailure told when VS Code does not take an output, because the cell is gone, say
   */
  constructor(
    displays: Displays,
    write: (work: (cell: Writable) => Promise<void>) => Promise<void>,
    onFailure: (error: unknown) => void,
  ) {
    this.#displays = displays;
    this.#write = write;
    this.#onFailure = onFailure;
  }

  add(event: CellEvent): void {
    this.#waiting.push(event);
    this.#working ??= this.#work();
  }

  /** Resolves when everything added so far is on screen. */
  async settled(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async #work(): Promise<void> {
    // What a cell prints in one go becomes one change, not one for each line.
    await new Promise((resolve) => setTimeout(resolve, 0));
    try {
      while (this.#waiting.length > 0) {
        const events = joined(this.#waiting);
        this.#waiting = [];
        await this.#write(async (cell) => {
          for (const event of events) await this.#show(cell, event);
        });
      }
    } catch (error) {
      this.#waiting = [];
      this.#onFailure(error);
    } finally {
      this.#working = undefined;
    }
  }

  async #show(cell: Writable, event: CellEvent): Promise<void> {
    switch (event.type) {
      case 'stream':
        return await this.#text(cell, event.name, event.text);
      case 'execute_result':
        return await this.#append(cell, displayOutput('execute_result', event, event.executionCount));
      case 'display_data': {
        const output = displayOutput('display_data', event);
        if (event.displayId !== undefined) {
          this.#displays.set(event.displayId, [...(this.#displays.get(event.displayId) ?? []), output]);
        }
        return await this.#append(cell, output);
      }
      case 'update_display_data':
        for (const output of this.#displays.get(event.displayId) ?? []) {
          output.items = itemsOf(event.data);
          await cell.replaceOutputItems(output.items, output);
        }
        return;
      case 'error':
        return await this.#append(cell, errorOutput(event));
      case 'clear_output':
        if (event.wait) this.#clearFirst = true;
        else await this.#clear(cell);
        return;
      case 'progress':
        return await this.#news(cell, event);
    }
  }

  async #text(cell: Writable, name: StreamName, text: string): Promise<void> {
    await this.#clearIfWanted(cell);
    if (this.#stream?.name === name) {
      this.#stream.texts.push(text);
      await cell.appendOutputItems(streamItem(name, text), this.#stream.output);
      return;
    }
    const output = streamOutput(name, text);
    await this.#append(cell, output);
    this.#stream = { name, output, texts: [text] };
    this.#streams.set(output, this.#stream);
  }

  async #append(cell: Writable, output: vscode.NotebookCellOutput): Promise<void> {
    await this.#clearIfWanted(cell);
    this.#stream = undefined;
    this.#shown.push(output);
    await cell.appendOutput(output);
  }

  async #clearIfWanted(cell: Writable): Promise<void> {
    if (!this.#clearFirst) return;
    this.#clearFirst = false;
    await this.#clear(cell);
  }

  async #clear(cell: Writable): Promise<void> {
    this.#shown = [];
    this.#stream = undefined;
    this.#streams.clear();
    this.#progress.clear();
    await cell.clearOutput();
  }

  async #news(cell: Writable, { displayId, text, png }: Extract<CellEvent, { type: 'progress' }>): Promise<void> {
    const before = this.#progress.get(displayId);
    if (text === undefined) {
      if (!before) return;
      this.#progress.delete(displayId);
      this.#shown = this.#shown.filter((output) => output !== before);
      for (const { name, output, texts } of this.#streams.values()) output.items = [streamItem(name, texts.join(''))];
      await cell.replaceOutput(this.#shown);
    } else if (before) {
      await cell.replaceOutputItems(progressItems(text, png), before);
    } else {
      const output = displayOutput('display_data', { data: {}, metadata: {} });
      output.items = progressItems(text, png);
      this.#progress.set(displayId, output);
      await this.#append(cell, output);
    }
  }
}
