/** A cell's events to the outputs that a notebook stores for it. */
import type { CellEvent, MimeBundle } from './events.ts';
import { splitLines, type NotebookOutput } from './notebook.ts';

/** Types that hold JSON values; everything else holds text. */
const JSON_TYPE = /^application\/(.*\+)?json$/;

/** Text types are stored as lines; pictures stay one base64 string. */
const TEXT_TYPE = /^text\/|^application\/javascript$|\+xml$/;

/** Events that add an output. */
const ADDING: ReadonlySet<CellEvent['type']> = new Set(['stream', 'execute_result', 'display_data', 'error']);

/** A bundle as nbformat stores it, its types in alphabetical order as Jupyter writes them. */
function storedBundle(data: MimeBundle): Record<string, unknown> {
  const entries = Object.entries(data).map(([mime, value]): [string, unknown] => {
    if (JSON_TYPE.test(mime)) return [mime, value];
    const text = typeof value === 'string' ? value : String(value);
    return [mime, TEXT_TYPE.test(mime) ? splitLines(text) : text];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Collects the outputs of one run of a notebook. Consecutive texts of one stream are joined; an update of a display id
 * replaces every output of that id, also those of earlier cells; progress leaves nothing behind.
 */
export class OutputCollector {
  readonly #displays = new Map<string, { outputs: NotebookOutput[]; index: number }[]>();
  /** Outputs of cells that asked to be cleared when the next output comes. */
  readonly #clearing = new Set<NotebookOutput[]>();

  /** Takes in `event` of the cell whose outputs are `outputs`. */
  add(outputs: NotebookOutput[], event: CellEvent): void {
    if (ADDING.has(event.type) && this.#clearing.delete(outputs)) this.#clear(outputs);
    switch (event.type) {
      case 'stream':
        this.#addText(outputs, event.name, event.text);
        break;
      case 'display_data':
        if (event.displayId !== undefined) {
          const places = this.#displays.get(event.displayId) ?? [];
          this.#displays.set(event.displayId, [...places, { outputs, index: outputs.length }]);
        }
        outputs.push(displayData(event.data, event.metadata));
        break;
      case 'update_display_data':
        for (const place of this.#displays.get(event.displayId) ?? []) {
          place.outputs[place.index] = displayData(event.data, event.metadata);
        }
        break;
      case 'execute_result':
        outputs.push({
          data: storedBundle(event.data),
          execution_count: event.executionCount,
          metadata: { ...event.metadata },
          output_type: 'execute_result',
        });
        break;
      case 'error':
        outputs.push({
          ename: event.ename,
          evalue: event.evalue,
          output_type: 'error',
          traceback: [...event.traceback],
        });
        break;
      case 'clear_output':
        if (event.wait) this.#clearing.add(outputs);
        else this.#clear(outputs);
        break;
      case 'progress':
        break;
    }
  }

  #clear(outputs: NotebookOutput[]): void {
    outputs.length = 0;
    for (const [id, places] of this.#displays) {
      this.#displays.set(
        id,
        places.filter((place) => place.outputs !== outputs),
      );
    }
  }

  #addText(outputs: NotebookOutput[], name: string, text: string): void {
    const last = outputs.at(-1);
    if (last?.output_type !== 'stream' || last.name !== name) {
      outputs.push({ name, output_type: 'stream', text: splitLines(text) });
      return;
    }
    // Only the last line can grow: joining everything anew would make long outputs quadratic.
    const lines = last.text as string[];
    const open = lines.at(-1)?.endsWith('\n') === false ? lines.pop()! : '';
    for (const line of splitLines(open + text)) lines.push(line);
  }
}

function displayData(data: MimeBundle, metadata: Readonly<Record<string, unknown>>): NotebookOutput {
  return { data: storedBundle(data), metadata: { ...metadata }, output_type: 'display_data' };
}
