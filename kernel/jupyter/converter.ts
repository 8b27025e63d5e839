/**
 * TypeScript cells to JavaScript. The work is tslab's converter, whose modules are private: its version is pinned.
 * Around it we change, without touching any global: which files the compiler sees (our library has no `node_modules`
 * beside the notebook), how it resolves modules, and what it emits (source maps, see also transform.ts).
 */
import { createRequire, type SourceMap } from 'node:module';
import path from 'node:path';
import type ts from '@tslab/typescript-for-tslab';
import type { Converter, ConvertResult, Diagnostic } from 'tslab/dist/converter.js';
import { callAt, objectContext, parse, stringAt, stringContext, type ValueContext } from './caret.ts';
import type { Completeness, Completions, Inspection } from './ipc-protocol.ts';
import { FolderNews } from './folder-news.ts';
import type { CellLibrary } from './library.ts';
import { parseMap, splitInlineMap, withoutMapComment } from './positions.ts';
import { cellTransformer } from './transform.ts';

type TypeScript = typeof ts;

/** Resolves as tslab's own modules do: its compiler need not be visible from here. */
const require = createRequire(createRequire(import.meta.url).resolve('tslab/dist/converter'));

/** Lines that tslab puts before a cell's code. */
export const CELL_PREFIX_LINES = 1;

/** What one cell was compiled to. */
export interface ConvertedCell {
  /** CommonJS; empty when the cell has nothing to run. */
  readonly code: string;
  /** Declarations of this and all earlier cells, the next cell's context. */
  readonly declarations: string;
  /** The exported variable that holds the value of the cell's last expression. */
  readonly resultName?: string;
  /** TypeScript files beside the notebook that the cell imports, compiled: absolute path (ending in .js) and code. */
  readonly modules: readonly { readonly path: string; readonly code: string }[];
  /** Maps back to the cell, the last compilation's first. */
  readonly maps: readonly SourceMap[];
}

/** What TypeScript has against a cell; lines and columns count from 1. */
export interface CellProblem {
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  readonly code: number;
  readonly message: string;
  /** A file beside the notebook, when the problem is not in the cell itself. */
  readonly file?: string;
}

export interface CellConverter {
  /** @param declarations of all earlier cells */
  convert(declarations: string, code: string): { cell: ConvertedCell } | { problems: CellProblem[] };
  /** @param offset of the caret, in UTF-16 code units */
  complete(declarations: string, code: string, offset: number): Completions & CompletionContext;
  /**
   * Type and documentation of the name at `offset`, or, between the parentheses of a call, of what is called; undefined where
   * there is neither.
   */
  inspect(declarations: string, code: string, offset: number): Inspection | undefined;
  /** Whether `code` can run as it is, or the user is still typing; `indent` for the next line then. */
  isComplete(code: string): Completeness;
  close(): void;
}

/** Where the completed text stands, for names that types do not know. */
export interface CompletionContext {
  /** In a string. */
  readonly string?: ValueContext;
  /** In an object literal, with those of its members that are strings. */
  readonly object?: ValueContext;
  readonly strings?: Readonly<Record<string, string>>;
}

export interface ConverterOptions {
  /** The notebook's folder: modules and types are resolved from there. */
  readonly cwd: string;
  readonly library?: CellLibrary;
  /** Notice changes to imported files while the session lives (not needed in headless runs). */
  readonly watch?: boolean;
}

export function createCellConverter(options: ConverterOptions): CellConverter {
  const typescript = require('@tslab/typescript-for-tslab') as TypeScript;
  const compiled = new Map<string, readonly SourceMap[]>();
  const news = new FolderNews(options.cwd);
  const { createConverter, isCompleteCode } = loadTslab(adapted(typescript, options, compiled, news));
  const converter = createConverter({});
  return {
    convert(declarations, code) {
      const result = convertWithRetry(typescript, converter, declarations, code, news);
      if (result.diagnostics.length > 0) return { problems: merged(result.diagnostics.map(toProblem)) };
      const output = result.output ?? '';
      return {
        cell: {
          code: output,
          declarations: result.declOutput ?? '',
          ...(result.lastExpressionVar !== undefined && { resultName: result.lastExpressionVar }),
          modules: (result.sideOutputs ?? []).map((module) => ({
            path: path.normalize(module.path),
            code: module.data,
          })),
          maps: compiled.get(output) ?? [],
        },
      };
    },
    complete(declarations, code, offset) {
      const { start, end, candidates, original } = converter.complete(declarations, code, offset);
      const entries = original?.entries ?? [];
      const kinds = new Map(entries.map(({ name, kind }): [string, string] => [name, kind]));
      const file = parse(typescript, code);
      const text = stringAt(typescript, file, offset);
      const { strings, ...object } = objectContext(typescript, file, offset);
      // Of a string tslab gives all values and no span.
      const inString = ({ name, kind }: ts.CompletionEntry): boolean =>
        kind === 'string' && name.startsWith(code.slice(text!.start, offset));
      const context = text ? { string: stringContext(typescript, file, offset) } : { object, strings };
      return {
        ...(text ?? { start, end }),
        ...context,
        candidates: (text ? entries.filter(inString).map(({ name }) => name) : candidates).map((name) => ({
          text: name,
          kind: kinds.get(name) ?? '',
        })),
      };
    },
    inspect(declarations, code, offset) {
      const at = (position: number): Inspection | undefined => {
        const info = converter.inspect(declarations, code, position) as ts.QuickInfo | undefined;
        return info && describeName(typescript, info);
      };
      const name = at(offset);
      if (name) return name;
      const call = callAt(typescript, parse(typescript, code), offset);
      const called = call && at(call.callee);
      return called && { ...called, parameter: call.argument };
    },
    isComplete(code) {
      const { completed, indent } = isCompleteCode(code);
      if (!completed) return { status: 'incomplete', indent: indent ?? '' };
      return { status: isValid(typescript, code) ? 'complete' : 'invalid', indent: '' };
    },
    close: () => {
      converter.close();
    },
  };
}

/** The type in one piece, then the documentation with its tags. */
function describeName(typescript: TypeScript, { displayParts, documentation, tags }: ts.QuickInfo): Inspection {
  const described = typescript.displayPartsToString(documentation);
  const tagged = (tags ?? []).map(({ name, text }) => `@${name} ${typescript.displayPartsToString(text)}`.trimEnd());
  return {
    signature: typescript.displayPartsToString(displayParts).replace(/\nimport \w+$/, ''),
    documentation: [described, tagged.join('\n')].filter((part) => part !== '').join('\n\n'),
  };
}

/** Whether the syntax is right. Parsed as a module, where `await` can stand at the top. */
function isValid(typescript: TypeScript, code: string): boolean {
  const file = parse(typescript, `export {};${code}`) as ts.SourceFile & { parseDiagnostics?: readonly unknown[] };
  return (file.parseDiagnostics ?? []).length === 0;
}

interface TslabConverter {
  createConverter: (options: object) => Converter;
  isCompleteCode: (code: string) => { completed: boolean; indent?: string };
}

/** Loads a fresh copy of tslab's converter that sees `typescript` instead of the real compiler. */
function loadTslab(typescript: TypeScript): TslabConverter {
  const compilerPath = require.resolve('@tslab/typescript-for-tslab');
  const converterPath = require.resolve('./converter');
  const compiler = require.cache[compilerPath]!;
  const real: unknown = compiler.exports;
  compiler.exports = typescript;
  Reflect.deleteProperty(require.cache, converterPath);
  try {
    return require(converterPath) as TslabConverter;
  } finally {
    compiler.exports = real;
  }
}

/** The compiler with our file system, options, transformer and source maps. */
function adapted(
  typescript: TypeScript,
  { cwd, library, watch }: ConverterOptions,
  compiled: Map<string, readonly SourceMap[]>,
  news: FolderNews,
): TypeScript {
  const createHost = (
    rootFiles: string[],
    compilerOptions: ts.CompilerOptions,
    ...rest: [ts.System, ...unknown[]]
  ): object => {
    const host = (typescript.createWatchCompilerHost as (...args: unknown[]) => WatchHost)(
      rootFiles,
      {
        ...compilerOptions,
        // tslab's Node10 resolution finds no types that a package names only under "exports".
        moduleResolution: typescript.ModuleResolutionKind.Bundler,
        allowImportingTsExtensions: true,
        lib: ['lib.es2023.d.ts'],
        types: ['node'],
        inlineSourceMap: true,
      },
      ...rest,
    );
    withoutSecondTimer(host);
    let created: ((program: ts.BuilderProgram) => void) | undefined;
    Object.defineProperty(host, 'afterProgramCreate', {
      get: () => created,
      set: (notify: (program: ts.BuilderProgram) => void) => {
        created = (program) => {
          notify(withTransformer(typescript, program));
        };
      },
    });
    return host;
  };
  const transpileModule = (input: string, options: ts.TranspileOptions): ts.TranspileOutput => {
    const { code, map } = splitInlineMap(input);
    const output = typescript.transpileModule(code, {
      ...options,
      compilerOptions: { ...options.compilerOptions, sourceMap: true },
    });
    const outputText = withoutMapComment(output.outputText);
    if (map && output.sourceMapText) compiled.set(outputText, [parseMap(output.sourceMapText), map]);
    return { ...output, outputText };
  };
  return {
    ...typescript,
    sys: fileSystem(typescript, cwd, library, watch ?? false, news),
    createWatchCompilerHost: createHost as unknown as TypeScript['createWatchCompilerHost'],
    transpileModule,
  };
}

interface WatchHost {
  setTimeout?(callback: (...args: unknown[]) => void, ms: number, ...args: unknown[]): unknown;
  clearTimeout?(timer: unknown): void;
  afterProgramCreate?: (program: ts.BuilderProgram) => void;
}

/**
 * tslab allows the compiler one timer, for the next program. A second one, after which modules that were missing are looked
 * for again, need not run out: making the next program does the same.
 */
function withoutSecondTimer(host: WatchHost): void {
  const { setTimeout: set, clearTimeout: clear } = host;
  const never = {};
  host.setTimeout = (callback, ms, ...args) =>
    callback.name.startsWith('invalidate') ? never : set?.call(host, callback, ms, ...args);
  host.clearTimeout = (timer) => {
    if (timer !== never) clear?.call(host, timer);
  };
}

/** A program that runs our transformer before TypeScript's own whenever it emits. */
function withTransformer(typescript: TypeScript, program: ts.BuilderProgram): ts.BuilderProgram {
  const emit: ts.BuilderProgram['emit'] = (file, write, cancellation, declarationsOnly, custom) => {
    const checker = program.getProgram().getTypeChecker();
    const ours = cellTransformer(typescript, checker, (source) => path.basename(source.fileName) === '__prev__.d.ts');
    return program.emit(file, write, cancellation, declarationsOnly, {
      ...custom,
      before: [ours, ...(custom?.before ?? [])],
    });
  };
  return Object.assign(Object.create(program) as ts.BuilderProgram, { emit });
}

/** The disk, with our library in `node_modules` beside the notebook and Node's types where tslab looks for them. */
function fileSystem(
  typescript: TypeScript,
  cwd: string,
  library: CellLibrary | undefined,
  watch: boolean,
  news: FolderNews,
): ts.System {
  const slashed = (file: string): string => file.split(path.sep).join('/');
  const tslab = path.dirname(require.resolve('../package.json'));
  const nodeTypes = path.dirname(require.resolve('@types/node/package.json'));
  const forwards: [from: string, to: string][] = [
    [slashed(path.join(tslab, 'node_modules', '@types')), slashed(path.dirname(nodeTypes))],
  ];
  if (library) forwards.push([slashed(path.join(cwd, 'node_modules', library.name)), slashed(library.root)]);
  const forward = (file: string): string => {
    for (const [from, to] of forwards) {
      if (file === from || file.startsWith(`${from}/`)) return to + file.slice(from.length);
    }
    return file;
  };
  const { sys } = typescript;
  const unwatched: ts.FileWatcher = {
    close: () => {
      // Nothing is watched.
    },
  };
  const isUsers = (file: string): boolean => file.startsWith(slashed(cwd)) && !file.includes('/node_modules/');
  return Object.assign(Object.create(sys) as ts.System, {
    getCurrentDirectory: () => slashed(cwd),
    readFile: (file: string, encoding?: string) => sys.readFile(forward(file), encoding),
    fileExists: (file: string) => sys.fileExists(forward(file)),
    directoryExists: (folder: string) => sys.directoryExists(forward(folder)),
    realpath: (file: string) => sys.realpath?.(forward(file)) ?? forward(file),
    watchFile: (file: string, callback: ts.FileWatcherCallback, interval?: number) =>
      watch && isUsers(file) ? sys.watchFile!(file, callback, interval) : unwatched,
    // Whole trees are too much to watch: folders are told when a module was missing, see `FolderNews`.
    watchDirectory: (folder: string, callback: ts.DirectoryWatcherCallback) => news.listen(folder, callback),
  });
}

/**
 * Declaration problems: "exported variable 'x' has or is using name 'Y' … but cannot be named" and its kin. They are about
 * how tslab carries a variable's type to the next cell, not about the user's code: `const fs = await import('node:fs')`
 * has one.
 */
const CANNOT_BE_NAMED = new Set([2527, 2742, 2883, 4023, 4025, 4058, 4060, 4082, 4094, 7056]);

const MISSING_MODULE = /^Cannot find module '(.+?)'/;

/** Converts, and where only declarations fail, once more with those variables' types written out. */
function convertWithRetry(
  typescript: TypeScript,
  converter: Converter,
  declarations: string,
  code: string,
  news: FolderNews,
): ConvertResult {
  const plain = withoutExports(typescript, code);
  let first = converter.convert(declarations, plain);
  const missing = first.diagnostics.flatMap(({ messageText }) => MISSING_MODULE.exec(messageText)?.[1] ?? []);
  if (missing.length > 0) {
    for (const specifier of missing) news.mayBeThere(specifier);
    first = converter.convert(declarations, plain);
  }
  if (first.diagnostics.length === 0 || !first.diagnostics.every(({ code }) => CANNOT_BE_NAMED.has(code))) return first;
  const annotated = annotate(typescript, plain, new Set(first.diagnostics.map(({ start }) => start.offset)));
  if (annotated === plain) return first;
  const second = converter.convert(declarations, annotated);
  return second.diagnostics.length > 0 ? first : second;
}

/** Blanks `export` before a declaration: a cell's declarations are all exported anyhow, and twice is an error. */
function withoutExports(typescript: TypeScript, code: string): string {
  if (!/\bexport\b/.test(code)) return code;
  const file = typescript.createSourceFile('cell.ts', code, typescript.ScriptTarget.Latest, false);
  let result = code;
  for (const statement of file.statements) {
    const modifiers = typescript.canHaveModifiers(statement) ? typescript.getModifiers(statement) : undefined;
    if (modifiers?.some(({ kind }) => kind === typescript.SyntaxKind.DefaultKeyword)) continue;
    const modifier = modifiers?.find(({ kind }) => kind === typescript.SyntaxKind.ExportKeyword);
    if (!modifier) continue;
    result = result.slice(0, modifier.end - 6) + '      ' + result.slice(modifier.end);
  }
  return result;
}

/** Writes a type after each named variable declared at one of `offsets`: the module's for `await import('…')`, else any. */
function annotate(typescript: TypeScript, code: string, offsets: ReadonlySet<number>): string {
  const file = typescript.createSourceFile('cell.ts', code, typescript.ScriptTarget.Latest, true);
  const insertions: { at: number; text: string }[] = [];
  for (const statement of file.statements) {
    if (!typescript.isVariableStatement(statement)) continue;
    for (const declaration of statement.declarationList.declarations) {
      const { name, initializer } = declaration;
      if (declaration.type || !offsets.has(name.getStart(file))) continue;
      insertions.push({ at: name.end, text: `: ${moduleType(typescript, initializer) ?? 'any'}` });
    }
  }
  return insertions.reduceRight((text, { at, text: type }) => text.slice(0, at) + type + text.slice(at), code);
}

function moduleType(typescript: TypeScript, initializer: ts.Expression | undefined): string | undefined {
  if (!initializer || !typescript.isAwaitExpression(initializer)) return undefined;
  const call = initializer.expression;
  if (!typescript.isCallExpression(call) || call.expression.kind !== typescript.SyntaxKind.ImportKeyword) {
    return undefined;
  }
  const [specifier] = call.arguments;
  return specifier && typescript.isStringLiteral(specifier) ? `typeof import(${specifier.getText()})` : undefined;
}

const OUTSIDE_ROOT = 6059;

function toProblem({ start, end, code, messageText, fileName }: Diagnostic): CellProblem {
  return {
    line: start.line + 1,
    column: start.character + 1,
    endColumn: end.line === start.line ? end.character + 1 : start.character + 2,
    code,
    message:
      code === OUTSIDE_ROOT
        ? "A cell can import TypeScript files only from the notebook's folder and the folders below it."
        : messageText,
    ...(fileName !== undefined && { file: fileName }),
  };
}

/** TypeScript explains a problem in steps, which tslab lists as problems of one place: here they are one again. */
function merged(problems: readonly CellProblem[]): CellProblem[] {
  const result: CellProblem[] = [];
  for (const problem of problems) {
    const last = result.at(-1);
    const samePlace = last?.line === problem.line && last.column === problem.column && last.file === problem.file;
    if (last && samePlace) result[result.length - 1] = { ...last, message: `${last.message}\n${problem.message}` };
    else result.push(problem);
  }
  return result;
}
