/** What stands where the caret is: found in the text alone, without types. */
import type ts from '@tslab/typescript-for-tslab';

type TypeScript = typeof ts;

/** A span of a cell, UTF-16 code units, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export function parse(typescript: TypeScript, code: string): ts.SourceFile {
  return typescript.createSourceFile('cell.ts', code, typescript.ScriptTarget.Latest, true, typescript.ScriptKind.TS);
}

/** The text between the quotes of the string that the caret is in. */
export function stringAt(typescript: TypeScript, file: ts.SourceFile, offset: number): Span | undefined {
  const find = (node: ts.Node): Span | undefined => {
    if (offset <= node.getStart(file) || offset > node.end) return undefined;
    if (!typescript.isStringLiteralLike(node)) return typescript.forEachChild(node, find);
    const start = node.getStart(file) + 1;
    const quote = file.text[start - 1];
    const isClosed = node.end > start && file.text[node.end - 1] === quote;
    const end = isClosed ? node.end - 1 : node.end;
    return offset <= end ? { start, end } : undefined;
  };
  return find(file);
}

/** The innermost call whose parentheses the caret is in: the end of what is called, and which argument it is. */
export function callAt(
  typescript: TypeScript,
  file: ts.SourceFile,
  offset: number,
): { callee: number; argument: number } | undefined {
  let found: { callee: number; argument: number } | undefined;
  const visit = (node: ts.Node): void => {
    if (offset <= node.getStart(file) || offset > node.end) return;
    if (typescript.isCallExpression(node) || typescript.isNewExpression(node)) {
      const { expression, arguments: args } = node;
      const last = args?.at(-1);
      const close =
        file.text[node.end - 1] === ')' && (last?.end ?? expression.end) < node.end ? node.end - 1 : node.end;
      if (offset > expression.end && offset <= close) {
        const before = args?.filter(({ end }) => /,/.test(file.text.slice(end, offset))).length ?? 0;
        found = { callee: calleeName(typescript, expression), argument: before };
      }
    }
    typescript.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** An offset within the name that is called, for `a.b(…)` within `b`. */
function calleeName(typescript: TypeScript, expression: ts.Expression): number {
  return typescript.isPropertyAccessExpression(expression) ? expression.name.getStart() : expression.getStart();
}
