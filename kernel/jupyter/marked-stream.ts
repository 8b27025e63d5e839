/** Text from a kernel process's standard output or error, with the marks that say where a cell ended. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { MARKER } from './ipc-protocol.ts';

/** Longest mark: an id is a UUID. */
const LONGEST = 2 * MARKER.length + 64;

export class MarkedStream {
  readonly #onText: (text: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  readonly #reached = new Set<string>();
  readonly #waiting = new Map<string, () => void>();
  /** Text that could be the beginning of a mark. */
  #held = '';

  /** @param onText is given everything but the marks, as soon as it is read */
  constructor(stream: Readable, onText: (text: string) => void) {
    this.#onText = onText;
    stream.on('data', (chunk: Buffer) => this.#take(this.#decoder.write(chunk)));
    stream.on('end', () => {
      this.#emit(this.#held + this.#decoder.end());
      this.#held = '';
      for (const resolve of this.#waiting.values()) resolve();
      this.#waiting.clear();
    });
  }

  /** Resolves when the mark of `id` has been read; each mark can be waited for once. */
  reached(id: string): Promise<void> {
    if (this.#reached.delete(id)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #take(text: string): void {
    let rest = this.#held + text;
    this.#held = '';
    for (;;) {
      const from = rest.indexOf(MARKER);
      if (from < 0) break;
      const to = rest.indexOf(MARKER, from + MARKER.length);
      if (to < 0 && rest.length - from < LONGEST) {
        this.#emit(rest.slice(0, from));
        this.#held = rest.slice(from);
        return;
      }
      if (to < 0 || to - from > LONGEST) {
        // Not ours: somebody printed it.
        this.#emit(rest.slice(0, from + MARKER.length));
        rest = rest.slice(from + MARKER.length);
        continue;
      }
      this.#emit(rest.slice(0, from));
      this.#mark(rest.slice(from + MARKER.length, to));
      rest = rest.slice(to + MARKER.length);
    }
    const keep = openMarker(rest);
    this.#held = rest.slice(rest.length - keep);
    this.#emit(rest.slice(0, rest.length - keep));
  }

  #mark(id: string): void {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (resolve) resolve();
    else this.#reached.add(id);
  }

  #emit(text: string): void {
    if (text !== '') this.#onText(text);
  }
}

/** How many characters at the end of `text` could begin a marker. */
function openMarker(text: string): number {
  for (let length = Math.min(MARKER.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(MARKER.slice(0, length))) return length;
  }
  return 0;
}
