/** From places in the JavaScript that runs back to places in the cell that the user wrote. */
import { SourceMap, type SourceMapPayload } from 'node:module';

/** One-based line and column. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

const INLINE_MAP = /\n?\/\/# sourceMappingURL=data:application\/json[^,]*;base64,([\w+/=]+)\s*$/;
const MAP_COMMENT = /\n?\/\/# sourceMappingURL=\S+\s*$/;

/** Parses a source map's JSON text. */
export function parseMap(text: string): SourceMap {
  return new SourceMap(JSON.parse(text) as SourceMapPayload);
}

/** Splits compiled code from the source map in its last comment. */
export function splitInlineMap(code: string): { code: string; map?: SourceMap } {
  const match = INLINE_MAP.exec(code);
  if (!match) return { code };
  return { code: code.slice(0, match.index) + '\n', map: parseMap(Buffer.from(match[1]!, 'base64').toString()) };
}

/** Code without the comment that names its source map. */
export function withoutMapComment(code: string): string {
  return code.replace(MAP_COMMENT, '\n');
}

/**
 * Follows a place through source maps, the last compilation's map first.
 * @param skipLines lines that stand before the user's code in the first source
 * @returns undefined for a place that no line of the user's code made
 */
export function traceBack(place: Place, maps: readonly SourceMap[], skipLines: number): Place | undefined {
  let line = place.line - 1;
  let column = place.column - 1;
  for (const map of maps) {
    const entry = map.findEntry(line, column);
    if (!('originalLine' in entry)) return undefined;
    line = entry.originalLine;
    column = entry.originalColumn;
  }
  return line < skipLines ? undefined : { line: line - skipLines + 1, column: column + 1 };
}
