/** Errors as a person wants to read them: what, where in which cell, and the line itself. */
import type { SourceMap } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import util from 'node:util';
import { LensError } from '../errors.ts';
import { CELL_PREFIX_LINES, type CellProblem } from './converter.ts';
import type { CellError } from './events.ts';
import { CompileError } from './executor.ts';
import { packageFolder } from '../model/embedded.ts';
import { traceBack, type Place } from './positions.ts';

/** The code of every cell that ran, by the name that stack frames give it. */
export class CellSources {
  readonly #cells = new Map<string, { code: string; maps: readonly SourceMap[] }>();

  /** @param maps from the JavaScript that runs back to `code`, the last compilation's first */
  add(name: string, code: string, maps: readonly SourceMap[]): void {
    this.#cells.set(name, { code, maps });
  }

  has(name: string): boolean {
    return this.#cells.has(name);
  }

  /** Where the user wrote what ran at `place`; undefined for code that the compiler added. */
  place(name: string, place: Place): Place | undefined {
    const cell = this.#cells.get(name);
    return cell && traceBack(place, cell.maps, CELL_PREFIX_LINES);
  }

  lines(name: string): readonly string[] {
    return this.#cells.get(name)?.code.split('\n') ?? [];
  }
}

/** One stack frame: `    at name (file:line:column)` or `    at file:line:column`. */
const FRAME = /^\s*at (?:(?<name>.*?) \()?(?<file>.*?):(?<line>\d+):(?<column>\d+)\)?$/;

/** Whether a frame lies outside the user's code and packages: Node's, and the kernel's own. */
function isMachinery(file: string): boolean {
  if (file.startsWith('node:') || file.endsWith('__cell__.js')) return true;
  const local = path.relative(OWN_ROOT, file.startsWith('file:') ? fileURLToPath(file) : file);
  return /^(kernel|dist)[\\/]/.test(local);
}

const OWN_ROOT = packageFolder();

interface CellFrame {
  readonly name: string;
  readonly place: Place;
  readonly text: string;
}

/**
 * What a notebook stores for an error thrown by `cell`. A LensError shows its message and the line that led to it, a
 * TypeScript error the places that TypeScript names, any other error its stack, shortened to the user's code.
 */
export function describeError(error: unknown, cell: string, sources: CellSources): CellError {
  if (error instanceof CompileError) return describeProblems(error, cell, sources);
  if (!isError(error)) {
    const text = typeof error === 'string' ? error : util.inspect(error);
    return { ename: 'Error', evalue: text, traceback: [`Uncaught ${text}`] };
  }
  const ename = error.name;
  const evalue = error.message;
  const title = evalue === '' ? ename : `${ename}: ${evalue}`;
  if (ename === 'AbortError') return { ename, evalue, traceback: [title] };
  const { shown, first } = userFrames(error, sources);
  const excerpt = first ? codeFrame(sources.lines(first.name), first.place, 1) : [];
  const where = ename === LensError.name ? (first ? [first.text] : []) : shown;
  return { ename, evalue, traceback: [title, ...where, ...excerpt, ...causes(error)] };
}

/** Also an error of another realm or another copy of the library. */
function isError(error: unknown): error is Error {
  return error instanceof Error || util.types.isNativeError(error);
}

function userFrames(error: Error, sources: CellSources): { shown: string[]; first?: CellFrame } {
  const shown: string[] = [];
  let first: CellFrame | undefined;
  for (const line of stackLines(error)) {
    const groups = FRAME.exec(line)?.groups;
    if (!groups) continue;
    const file = groups.file!.replace(/^async /, '');
    const at = { line: Number(groups.line), column: Number(groups.column) };
    if (!sources.has(file)) {
      if (!isMachinery(file)) shown.push(line);
      continue;
    }
    const place = sources.place(file, at);
    if (!place) continue;
    const within = functionName(groups.name);
    const text = `    at ${within}${file}, line ${place.line}, column ${place.column}`;
    first ??= { name: file, place, text };
    shown.push(text);
  }
  return first ? { shown, first } : { shown };
}

/** The stack's lines below the message, which may itself have several. */
function stackLines(error: Error): string[] {
  return (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
}

/** The user's function, not the wrapper that each cell runs in. */
function functionName(name: string | undefined): string {
  const plain = name?.replace(/^(async |Object\.|Proxy\.|new )+/, '') ?? '';
  return plain === '' || plain === '<anonymous>' || plain === 'async' ? '' : `${plain} in `;
}

function causes(error: Error): string[] {
  const { cause } = error;
  if (!isError(cause) || error.name === LensError.name) return [];
  return ['', `Caused by ${cause.name}: ${cause.message}`, ...causes(cause)];
}

/** At most this many problems are written out: the first ones usually cause the others. */
const MOST_PROBLEMS = 5;

function describeProblems(error: CompileError, cell: string, sources: CellSources): CellError {
  const lines = sources.lines(cell);
  const traceback = error.problems
    .slice(0, MOST_PROBLEMS)
    .flatMap((problem, index) => [
      ...(index > 0 ? [''] : []),
      `${problem.file ?? cell}, line ${problem.line}, column ${problem.column} - error TS${problem.code}: ${problem.message}`,
      ...(problem.file === undefined ? codeFrame(lines, problem, width(problem)) : []),
    ]);
  const more = error.problems.length - MOST_PROBLEMS;
  if (more > 0) traceback.push('', `and ${more} more`);
  return { ename: error.name, evalue: error.message, traceback };
}

function width({ column, endColumn }: CellProblem): number {
  return Math.max(1, endColumn - column);
}

/** The line at `place` with the one before it and a caret row below. */
function codeFrame(lines: readonly string[], { line, column }: Place, length: number): string[] {
  const text = lines[line - 1];
  if (text === undefined) return [];
  const gutter = String(line).length;
  const before = lines[line - 2];
  // Tabs keep their width, so that the carets stand below what they mean.
  const indent = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const carets = '^'.repeat(Math.max(1, Math.min(length, text.length - column + 1)));
  return [
    '',
    ...(before === undefined ? [] : [`  ${String(line - 1).padStart(gutter)} | ${before}`]),
    `> ${line} | ${text}`,
    `  ${' '.repeat(gutter)} | ${indent}${carets}`,
  ];
}
