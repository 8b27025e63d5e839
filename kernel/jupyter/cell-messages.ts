/**
 * A cell's events as IOPub messages. Most are the same under the same name; progress is not Jupyter's: it becomes an output
 * with a display id, which is taken away when the result comes, so that a saved notebook holds nothing of it.
 */
import type { CellEvent } from './events.ts';
import type { Content } from './wire.ts';

export interface IoMessage {
  readonly type: string;
  readonly content: Content;
}

/** Outputs beyond this are not sent again to take a progress line from among them; characters. */
const MOST_REPEATED = 5_000_000;

/** The messages of one cell. */
export class CellMessages {
  /** What the cell has shown since it was last cleared. */
  #shown: IoMessage[] = [];
  #size = 0;
  /** Display id under which progress stands among the outputs. */
  #progress: string | undefined;
  /** The progress on screen is over. */
  #stale = false;
  #clearNext = false;

  /** What to send for `event`, in order. */
  take(event: CellEvent): IoMessage[] {
    switch (event.type) {
      case 'progress':
        return this.#takeProgress(event);
      case 'clear_output':
        if (event.wait) this.#clearNext = true;
        else this.#forget();
        return [{ type: 'clear_output', content: { wait: event.wait } }];
      case 'update_display_data':
        this.#replace(event.displayId, event);
        return [{ type: event.type, content: bundle(event, event.displayId) }];
      case 'display_data':
        return this.#output({ type: event.type, content: bundle(event, event.displayId) });
      case 'execute_result':
        return this.#output({
          type: event.type,
          content: { execution_count: event.executionCount, data: event.data, metadata: event.metadata },
        });
      case 'stream':
        return this.#output({ type: event.type, content: { name: event.name, text: event.text } });
      case 'error':
        return this.#output({
          type: event.type,
          content: { ename: event.ename, evalue: event.evalue, traceback: event.traceback },
        });
    }
  }

  /** What to send when the cell is over: a progress line that no output has replaced goes. */
  end(): IoMessage[] {
    return this.#progress === undefined ? [] : this.#withoutProgress(false);
  }

  #output(message: IoMessage): IoMessage[] {
    if (this.#clearNext) this.#forget();
    const before = this.#progress !== undefined && this.#stale ? this.#withoutProgress(true) : [];
    this.#remember(message);
    return [...before, message];
  }

  #takeProgress(event: CellEvent & { type: 'progress' }): IoMessage[] {
    if (event.text === undefined) {
      this.#stale = this.#progress !== undefined;
      return [];
    }
    this.#stale = false;
    const data = { 'text/plain': event.text, ...(event.png !== undefined && { 'image/png': event.png }) };
    const shown = this.#progress;
    this.#progress ??= event.displayId;
    const content = bundle({ data, metadata: {} }, this.#progress);
    if (shown !== undefined) return [{ type: 'update_display_data', content }];
    if (this.#clearNext) this.#forget();
    this.#progress = event.displayId;
    return [{ type: 'display_data', content }];
  }

  /** Jupyter cannot take away one output: all are, and the others are sent again. */
  #withoutProgress(wait: boolean): IoMessage[] {
    const id = this.#progress!;
    this.#progress = undefined;
    this.#stale = false;
    if (this.#size > MOST_REPEATED) {
      return [{ type: 'update_display_data', content: bundle({ data: { 'text/plain': '' }, metadata: {} }, id) }];
    }
    return [{ type: 'clear_output', content: { wait: wait || this.#shown.length > 0 } }, ...this.#shown];
  }

  #remember(message: IoMessage): void {
    const last = this.#shown.at(-1);
    if (message.type === 'stream' && last?.type === 'stream' && last.content.name === message.content.name) {
      const text = (last.content.text as string) + (message.content.text as string);
      this.#shown[this.#shown.length - 1] = { type: 'stream', content: { ...last.content, text } };
    } else {
      this.#shown.push(message);
    }
    this.#size += sizeOf(message);
  }

  /** What is sent again must be what is on screen. */
  #replace(displayId: string, event: { readonly data: object; readonly metadata: object }): void {
    this.#shown = this.#shown.map((message) =>
      displayIdOf(message) === displayId ? { type: 'display_data', content: bundle(event, displayId) } : message,
    );
  }

  #forget(): void {
    this.#shown = [];
    this.#size = 0;
    this.#progress = undefined;
    this.#clearNext = false;
  }
}

function bundle(
  { data, metadata }: { readonly data: object; readonly metadata: object },
  displayId: string | undefined,
): Content {
  return { data, metadata, transient: displayId === undefined ? {} : { display_id: displayId } };
}

function displayIdOf({ content }: IoMessage): unknown {
  return (content.transient as { display_id?: string } | undefined)?.display_id;
}

function sizeOf({ content }: IoMessage): number {
  if (typeof content.text === 'string') return content.text.length;
  return Object.values((content.data ?? {}) as object).reduce<number>(
    (sum, value) => sum + (typeof value === 'string' ? value.length : JSON.stringify(value).length),
    0,
  );
}
