/**
 * Joins texts of one stream that come in quick succession: a cell that prints a hundred thousand lines is a few hundred
 * messages, not a hundred thousand. The first text goes at once, also from within a loop that never awaits.
 */
import type { CellEvent } from './events.ts';

/** Texts within this time are joined, in ms. */
const INTERVAL = 20;

/** A message is not longer than about this, in characters. */
const LONGEST = 65_536;

export interface StreamBatch {
  add(event: CellEvent): void;
  /** Sends what waits. */
  flush(): void;
}

export function streamBatch(send: (event: CellEvent) => void): StreamBatch {
  let waiting: (CellEvent & { type: 'stream' }) | undefined;
  let texts: string[] = [];
  let length = 0;
  let sentAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!waiting) return;
    const event = { ...waiting, text: texts.join('') };
    waiting = undefined;
    texts = [];
    length = 0;
    sentAt = performance.now();
    send(event);
  };
  return {
    flush,
    add(event) {
      if (event.type !== 'stream') {
        flush();
        send(event);
        return;
      }
      if (waiting && waiting.name !== event.name) flush();
      waiting = event;
      texts.push(event.text);
      length += event.text.length;
      const wait = sentAt + INTERVAL - performance.now();
      if (wait <= 0 || length >= LONGEST) flush();
      else timer ??= setTimeout(flush, wait);
    },
  };
}
