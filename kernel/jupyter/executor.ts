/**
 * Runs compiled cells in this process, one at a time. It differs from tslab's executor in three ways that notebooks need:
 * ES modules load, declarations of a cell that failed half-way are kept, and errors are thrown to the caller.
 */
import vm from 'node:vm';
import { AbortError, LensError } from '../errors.ts';
import { createCellConverter, type CellConverter, type CellProblem, type ConverterOptions } from './converter.ts';
import { createCellModules } from './modules.ts';
import type { CellSources } from './traceback.ts';
import { CELL_HOST } from './transform.ts';

/** TypeScript does not accept the cell; nothing of it ran. */
export class CompileError extends Error {
  override readonly name = 'TypeScriptError';
  readonly problems: readonly CellProblem[];

  constructor(problems: readonly CellProblem[]) {
    const [first] = problems;
    super(
      first
        ? `${mostSpecific(first.message)} (line ${first.line}, column ${first.column})`
        : 'the cell does not compile',
    );
    this.problems = problems;
  }
}

/** The last of the lines in which TypeScript explains a problem. */
function mostSpecific(message: string): string {
  return message.slice(message.lastIndexOf('\n') + 1);
}

/** The user stopped the cell. */
export class Interruption extends AbortError {}

export interface Executor {
  /**
   * Compiles and runs a cell.
   * @param name what tracebacks call the cell, unique in the session
   * @returns the value of the last expression; undefined when the cell does not end in an expression
   * @throws CompileError, Interruption when `signal` aborts, or whatever the cell throws
   */
  run(code: string, name: string, signal: AbortSignal): Promise<unknown>;
  readonly converter: CellConverter;
  /** Declarations of all cells so far, as completion needs them. */
  readonly declarations: string;
  close(): void;
}

export interface ExecutorOptions extends ConverterOptions {
  /** Calls `work`, which must not be cut off. */
  readonly undisturbed?: <T>(work: () => T) => T;
}

/** @param sources learns the code and the source maps of every cell that runs */
export async function createExecutor(options: ExecutorOptions, sources: CellSources): Promise<Executor> {
  const undisturbed = options.undisturbed ?? ((work) => work());
  const converter = createCellConverter(options);
  const modules = await createCellModules(options.cwd, options.library);
  const variables = cellVariables();
  const host: CellHost = {
    exports: variables,
    require: modules.require,
    importModule: modules.importModule,
    folder: options.cwd,
    run: callCell,
  };
  Object.defineProperty(globalThis, CELL_HOST, { value: host, configurable: true, enumerable: false });
  let declarations = '';

  return {
    converter,
    get declarations() {
      return declarations;
    },
    async run(code, name, signal) {
      const converted = undisturbed(() => converter.convert(declarations, code));
      if ('problems' in converted) {
        sources.add(name, code, []);
        throw new CompileError(converted.problems);
      }
      const { cell } = converted;
      sources.add(name, code, cell.maps);
      modules.add(cell.modules);
      await abortable(modules.preload(cell.code), signal);
      // From here on the cell counts as run: what it has declared until it fails, later cells can use.
      declarations = cell.declarations;
      if (cell.code !== '') await abortable(start(cell.code, name), signal);
      if (cell.resultName === undefined) return undefined;
      const value = variables[cell.resultName];
      Reflect.deleteProperty(variables, cell.resultName);
      // A promise as last expression is awaited: its value is what the user wants to see.
      return await abortable(Promise.resolve(value), signal);
    },
    close() {
      converter.close();
      Reflect.deleteProperty(globalThis, CELL_HOST);
    },
  };
}

type CellBody = (exports: object, require: unknown, folder: string) => Promise<void>;

/** What compiled code reaches under the name CELL_HOST. */
interface CellHost {
  readonly exports: object;
  readonly require: unknown;
  readonly importModule: unknown;
  readonly folder: string;
  readonly run: (this: CellHost, body: CellBody) => Promise<void>;
}

function callCell(this: CellHost, body: CellBody): Promise<void> {
  return body(this.exports, this.require, this.folder);
}

/** Runs compiled code up to its first await; SIGINT stops a loop in that part. */
function start(code: string, name: string): Promise<void> {
  const wrapped = `${CELL_HOST}.run(async function (exports, require, __dirname) {\n${code}\n})`;
  try {
    return vm.runInThisContext(wrapped, {
      filename: name,
      lineOffset: -1,
      breakOnSigint: true,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as Promise<void>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw new Interruption();
    throw error;
  }
}

/** `work`, or an Interruption as soon as `signal` aborts. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw new Interruption();
  return await new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      reject(new Interruption());
    };
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}

/**
 * The object that holds all cells' variables. Compiled code defines imported names as getters without a setter; here they
 * become plain values, because a later cell may redeclare the name.
 */
function cellVariables(): Record<string, unknown> {
  return new Proxy<Record<string, unknown>>(
    {},
    {
      defineProperty(target, name, attributes) {
        if (name === '__esModule') return true;
        const value: unknown = attributes.get ? attributes.get.call(target) : attributes.value;
        return Reflect.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
      },
    },
  );
}

/** Why this Node cannot run cells, if it cannot. */
export function requireSuitableNode(): void {
  if (!('constants' in vm)) {
    throw new LensError(
      `cells need Node 20.12 or newer, and this is Node ${process.versions.node}`,
      'Install a newer Node from https://nodejs.org.',
    );
  }
}
