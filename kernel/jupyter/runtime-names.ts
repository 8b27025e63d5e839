/** Completion with names that types do not know: models on this machine, methods and their options. */
import type { CompletionContext } from './converter.ts';
import type { Completions } from './ipc-protocol.ts';
import type { CellLibrary } from './library.ts';

/** @param typed the part of the name that is there */
export async function withRuntimeNames(
  { start, end, candidates, string, object, strings }: Completions & CompletionContext,
  library: CellLibrary,
  typed: string,
): Promise<Completions> {
  const names = string ? await library.stringValues?.(string) : object && library.memberNames?.(object, strings ?? {});
  const kind = string ? 'string' : 'property';
  const known = new Set(candidates.map(({ text }) => text));
  const found = [...new Set(names)].filter((name) => name.startsWith(typed) && !known.has(name));
  return { start, end, candidates: [...found.map((text) => ({ text, kind })), ...candidates] };
}
