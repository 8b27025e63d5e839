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

/** Where a string or an object stands: as an option's value, also in an array, or as a call's first argument. */
export interface ValueContext {
  /** `property: …` */
  readonly property?: string;
  /** `callee(…` */
  readonly callee?: string;
}

/** Of the string that the caret is in. */
export function stringContext(typescript: TypeScript, file: ts.SourceFile, offset: number): ValueContext {
  const node = innermost(typescript, file, offset, (each) => typescript.isStringLiteralLike(each));
  return node ? contextOf(typescript, node) : {};
}

/** Of the object literal that the caret is directly in, with its members that are plain strings. */
export function objectContext(
  typescript: TypeScript,
  file: ts.SourceFile,
  offset: number,
): ValueContext & { readonly strings: Readonly<Record<string, string>> } {
  const node = innermost(typescript, file, offset, (each) => typescript.isObjectLiteralExpression(each));
  if (!node || !typescript.isObjectLiteralExpression(node)) return { strings: {} };
  const strings: Record<string, string> = {};
  for (const property of node.properties) {
    if (typescript.isPropertyAssignment(property) && typescript.isStringLiteralLike(property.initializer)) {
      strings[property.name.getText(file)] = property.initializer.text;
    }
  }
  return { ...contextOf(typescript, node), strings };
}

function innermost(
  typescript: TypeScript,
  file: ts.SourceFile,
  offset: number,
  wanted: (node: ts.Node) => boolean,
): ts.Node | undefined {
  let found: ts.Node | undefined;
  const visit = (node: ts.Node): void => {
    if (offset <= node.getStart(file) || offset > node.end) return;
    if (wanted(node)) found = node;
    typescript.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function contextOf(typescript: TypeScript, node: ts.Node): ValueContext {
  const { parent } = node;
  if (typescript.isArrayLiteralExpression(parent)) return contextOf(typescript, parent);
  if (typescript.isPropertyAssignment(parent)) return { property: parent.name.getText() };
  if (typescript.isCallExpression(parent) && parent.arguments[0] === node)
    return { callee: parent.expression.getText() };
  return {};
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
