/** Where the parameters stand in a signature as TypeScript prints it. */

const OPENING = '([{<';
const CLOSING = ')]}>';

/** TypeScript's word for what a name is stands before some signatures: `(method) `, `(alias) function `. */
export function withoutKind(signature: string): string {
  return signature.replace(/^\([a-z ]+\) /, '');
}

/**
 * The span [start, end) of each parameter of the first parameter list in `signature`, such as
 * `function explain(options: ExplainOptions): Promise<Explanation>`.
 */
export function parametersOf(signature: string): [start: number, end: number][] {
  const spans: [number, number][] = [];
  const begin = signature.indexOf('(');
  if (begin < 0) return spans;
  let depth = 0;
  let from = begin + 1;
  const add = (to: number): void => {
    const text = signature.slice(from, to);
    const lead = text.length - text.trimStart().length;
    if (text.trim() !== '') spans.push([from + lead, from + lead + text.trim().length]);
    from = to + 1;
  };
  for (let at = begin; at < signature.length; at++) {
    const character = signature[at]!;
    // The arrow of a function type closes nothing.
    if (character === '>' && signature[at - 1] === '=') continue;
    if (OPENING.includes(character)) depth++;
    else if (CLOSING.includes(character)) depth--;
    if (depth === 0) {
      add(at);
      return spans;
    }
    if (character === ',' && depth === 1) add(at);
  }
  return spans;
}
