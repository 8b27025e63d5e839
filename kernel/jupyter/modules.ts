/** `require` and `import` as cells see them. */
import { existsSync, readFileSync } from 'node:fs';
import Module, { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import type { CellLibrary } from './library.ts';

export interface CellModules {
  /** `require(specifier)` from the notebook's folder. */
  readonly require: (specifier: string) => unknown;
  /** `import(specifier)` from the notebook's folder. */
  readonly importModule: (specifier: string) => Promise<unknown>;
  /** Takes in compiled TypeScript files; an older version of a file is forgotten. */
  add(modules: readonly { readonly path: string; readonly code: string }[]): void;
  /** Loads the ES modules that compiled code is going to `require`, which `require` alone cannot on every Node. */
  preload(code: string): Promise<void>;
}

type Namespace = Readonly<Record<string, unknown>>;

interface CompilableModule extends Module {
  _compile(code: string, filename: string): unknown;
}

const ModuleInternals = Module as unknown as {
  new (id: string): CompilableModule;
  _nodeModulePaths(folder: string): string[];
};

const TYPESCRIPT_ENDING = /\.(ts|tsx|mts)$/;
const REQUIRE_CALL = /\brequire\("((?:[^"\\]|\\.)+)"\)/g;

/**
 * @param cwd the notebook's folder
 * @param library served by name whatever `node_modules` holds, so that cells and kernel share one copy
 */
export async function createCellModules(cwd: string, library?: CellLibrary): Promise<CellModules> {
  // Reading cells as if they were a file of this name makes relative paths and packages resolve from the folder.
  const cellFile = path.join(cwd, '__cell__.js');
  const nodeRequire = createRequire(cellFile);
  const nodeImport = vm.runInThisContext('(specifier) => import(specifier)', {
    filename: cellFile,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as (specifier: string) => Promise<Namespace>;
  await withoutWarnings(() => nodeImport('node:path'));
  const sources = new Map<string, string>();
  const loaded = new Map<string, unknown>();
  const esModules = new Map<string, unknown>();

  const compiledFile = (specifier: string, folder: string): string | undefined => {
    if (!/^\.{0,2}\//.test(specifier) && !path.isAbsolute(specifier)) return undefined;
    const file = path.resolve(folder, specifier).replace(TYPESCRIPT_ENDING, '.js');
    return [file, `${file}.js`, path.join(file, 'index.js')].find((candidate) => sources.has(candidate));
  };

  const requireFrom = (folder: string, otherwise: (specifier: string) => unknown) => {
    return (specifier: string): unknown => {
      if (specifier === library?.name) return library.exports;
      if (esModules.has(specifier)) return esModules.get(specifier);
      const file = compiledFile(specifier, folder);
      return file === undefined ? otherwise(specifier) : load(file);
    };
  };

  const load = (file: string): unknown => {
    if (loaded.has(file)) return (loaded.get(file) as Module).exports;
    const module = new ModuleInternals(file);
    module.filename = file;
    module.paths = ModuleInternals._nodeModulePaths(path.dirname(file));
    const plainRequire = module.require.bind(module);
    module.require = requireFrom(path.dirname(file), plainRequire) as NodeJS.Require;
    // Before it runs, as Node does: modules may import each other in a circle.
    loaded.set(file, module);
    try {
      module._compile(sources.get(file)!, file);
    } catch (error) {
      loaded.delete(file);
      throw error;
    }
    return module.exports;
  };

  const isEsModule = (specifier: string): boolean => {
    try {
      const file = nodeRequire.resolve(specifier);
      if (file.endsWith('.mjs') || (file.endsWith('.js') && packageType(file) === 'module')) return true;
      // Of a package in both forms, the one that `import` gets anywhere else: else its state would be there twice.
      return !/^[./]/.test(specifier) && hasImportForm(packageExports(file));
    } catch (error) {
      // A package without a "require" condition: ES modules only.
      return (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
    }
  };

  const require = requireFrom(cwd, nodeRequire);
  return {
    require,
    async importModule(specifier) {
      if (specifier === library?.name) return library.exports;
      const file = compiledFile(specifier, cwd);
      return file === undefined ? await nodeImport(specifier) : load(file);
    },
    add(modules) {
      for (const module of modules) sources.set(module.path, module.code);
      // What imports a changed file has to run again as well, so all of them do.
      if (modules.length > 0) loaded.clear();
    },
    async preload(code) {
      for (const [, escaped] of code.matchAll(REQUIRE_CALL)) {
        const specifier = JSON.parse(`"${escaped!}"`) as string;
        const known = isBuiltin(specifier) || specifier === library?.name || esModules.has(specifier);
        if (known || compiledFile(specifier, cwd) !== undefined || !isEsModule(specifier)) continue;
        esModules.set(specifier, asCommonJs(await nodeImport(specifier)));
      }
    },
  };
}

/** What is read of a package.json. */
interface Manifest {
  readonly name?: string;
  readonly type?: string;
  readonly exports?: unknown;
}

/** `type` of the nearest package.json above `file`. */
function packageType(file: string): string | undefined {
  for (const { type } of manifests(file)) return type;
  return undefined;
}

/** `exports` of the package that `file` is in; a package.json without a name only tells how files below it are read. */
function packageExports(file: string): unknown {
  for (const { name, exports } of manifests(file)) if (name !== undefined) return exports;
  return undefined;
}

/** The package.json files above `file`, the nearest first; none is read before it is asked for. */
function* manifests(file: string): Generator<Manifest> {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) yield JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    if (folder === path.dirname(folder)) return;
  }
}

/** Whether a package's `exports` have the condition "import" anywhere. */
function hasImportForm(exports: unknown): boolean {
  if (typeof exports !== 'object' || exports === null) return false;
  return Object.entries(exports).some(([key, value]) => key === 'import' || hasImportForm(value));
}

/** A namespace such that TypeScript's CommonJS output takes `default` from it and does not wrap it once more. */
function asCommonJs(namespace: Namespace): object {
  const module = Object.create(null) as object;
  for (const name of Object.keys(namespace)) {
    Object.defineProperty(module, name, { enumerable: true, get: () => namespace[name] });
  }
  return Object.defineProperty(module, '__esModule', { value: true });
}

/** Node warns once that loading ES modules from a script is experimental: no news to whoever reads the notebook. */
async function withoutWarnings(work: () => Promise<unknown>): Promise<void> {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => {
    // Dropped.
  };
  try {
    await work();
  } finally {
    process.emitWarning = emitWarning;
  }
}
