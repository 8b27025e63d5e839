/** The cells of this session, as Jupyter's history requests ask for them. */

/** Session number, line and source; with output, source and output. */
export type HistoryEntry = readonly [session: number, line: number, cell: string | readonly [string, string | null]];

export interface HistoryRequest {
  readonly hist_access_type?: 'range' | 'tail' | 'search';
  readonly output?: boolean;
  /** range: 0 is this session, and there is no other. */
  readonly session?: number;
  readonly start?: number;
  readonly stop?: number | null;
  /** tail and search: the last so many. */
  readonly n?: number;
  /** search: `*` for any text and `?` for any character. */
  readonly pattern?: string;
  /** search: each source once. */
  readonly unique?: boolean;
}

interface Line {
  readonly line: number;
  readonly source: string;
  output: string | null;
}

const SESSION = 1;

export class History {
  readonly #lines: Line[] = [];

  add(line: number, source: string): void {
    this.#lines.push({ line, source, output: null });
  }

  /** The result of the cell that was added last, as text. */
  setOutput(line: number, output: string): void {
    const last = this.#lines.at(-1);
    if (last?.line === line) last.output = output;
  }

  find(request: HistoryRequest): HistoryEntry[] {
    return this.#chosen(request).map(({ line, source, output }): HistoryEntry => [
      SESSION,
      line,
      request.output ? [source, output] : source,
    ]);
  }

  #chosen({ hist_access_type, session = 0, start = 0, stop, n, pattern = '*', unique }: HistoryRequest): Line[] {
    if (hist_access_type === 'range') {
      // Negative numbers count sessions back from this one.
      if (session !== 0 && session !== SESSION) return [];
      return this.#lines.filter(({ line }) => line >= start && (typeof stop !== 'number' || line < stop));
    }
    let found: Line[] = this.#lines;
    if (hist_access_type === 'search') {
      const matches = glob(pattern);
      found = found.filter(({ source }) => matches.test(source));
      // The latest of equal ones.
      if (unique) found = [...new Map(found.map((line) => [line.source, line])).values()];
    }
    return typeof n === 'number' ? found.slice(Math.max(0, found.length - n)) : found;
  }
}

function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}
