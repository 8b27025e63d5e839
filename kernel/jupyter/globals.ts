/** What cells have in scope without import: the public API, aware of the cell it is called from. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { LensError } from '../errors.ts';
import * as lens from '../index.ts';
import { currentCell } from './current-cell.ts';
import { METHODS } from '../attribution/methods.ts';
import type { ValueContext } from './caret.ts';
import { embeddedModels, packageFolder } from '../model/embedded.ts';
import type { CellLibrary } from './library.ts';
import { cellProgress } from './progress.ts';

/** Long calls, and which of their arguments holds `signal` and `onProgress`. */
const LONG_CALLS: Readonly<Record<string, number>> = {
  loadModel: 1,
  pullModel: 1,
  explain: 0,
  selectTokens: 0,
  compare: 0,
  evaluate: 1,
  explainDataset: 1,
};

/** Types in scope beside them: what a cell is likely to name. */
const TYPES = [
  'Agreement',
  'AnswerToken',
  'BaselineName',
  'CompareOptions',
  'Curve',
  'DatasetRow',
  'DatasetSample',
  'EvaluateOptions',
  'ExplainDatasetOptions',
  'ExplainOptions',
  'Explanation',
  'ImageSource',
  'LensDocument',
  'LoadModelOptions',
  'MethodChoice',
  'Model',
  'PixelMask',
  'Progress',
  'QuestionOptions',
  'ResultMap',
  'SaliencyMap',
  'TokenChoice',
];

const BUILD_FIRST = 'Run "npm run build" in that folder, or install the package again.';

type Call = (...args: unknown[]) => unknown;

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Parameters<ReturnType<typeof cellProgress>['onProgress']>[0]) => void;
}

/**
 * `call`, given the running cell's interrupt signal and a progress line where the user names none.
 * @param optionsAt index of the argument that holds the options
 */
function forCells(call: Call, optionsAt: number): Call {
  const inCell = async (...args: unknown[]): Promise<unknown> => {
    const cell = currentCell();
    const given = args[optionsAt];
    if (!cell || (given !== undefined && (typeof given !== 'object' || given === null))) return await call(...args);
    const progress = cellProgress(cell);
    const options: CallOptions = { signal: cell.signal, onProgress: progress.onProgress, ...given };
    const withOptions = [...args];
    withOptions[optionsAt] = options;
    // An interrupted cell is over at once, though the engine may need a moment to stop.
    options.signal?.addEventListener('abort', progress.done, { once: true });
    const caller: { stack?: string } = {};
    Error.captureStackTrace(caller, inCell);
    try {
      return await call(...withOptions);
    } catch (error) {
      throw calledFrom(error, caller.stack);
    } finally {
      options.signal?.removeEventListener('abort', progress.done);
      progress.done();
    }
  };
  return Object.defineProperty(inCell, 'name', { value: call.name });
}

/** An error that came from the engine process, with the frames of the cell that asked: its own stack has none of them. */
function calledFrom(error: unknown, stack: string | undefined): unknown {
  const frames = stack?.split('\n').slice(1) ?? [];
  if (error instanceof Error) error.stack = [error.stack ?? '', ...frames].join('\n');
  return error;
}

/**
 * The library as cells see it.
 * @throws LensError where this package has not been built: cells are checked against its type declarations
 */
export function lensLibrary(): CellLibrary {
  const root = packageFolder();
  if (!existsSync(path.join(root, 'dist', 'types', 'kernel', 'index.d.ts'))) {
    throw new LensError(`the type declarations of lvlm-lens are missing in ${path.join(root, 'dist')}`, BUILD_FIRST);
  }
  const exports: Record<string, unknown> = { ...lens };
  for (const [name, optionsAt] of Object.entries(LONG_CALLS)) {
    const call = exports[name];
    if (typeof call === 'function') exports[name] = forCells(call as Call, optionsAt);
  }
  return {
    name: 'lvlm-lens',
    root,
    exports,
    values: Object.keys(exports),
    types: TYPES,
    stringValues,
    memberNames,
  };
}

/** Names of models: those that come along and those in the Hub's cache. */
async function modelNames(): Promise<readonly string[]> {
  const cached = await lens.cachedModels().catch(() => []);
  return [...embeddedModels(), ...cached.map(({ id }) => id)];
}

const methodNames = (): readonly string[] => [...METHODS.keys()];

/** What strings may be, by the option that they are the value of, or the function whose first argument they are. */
const STRINGS: Readonly<Record<string, () => readonly string[] | Promise<readonly string[]>>> = {
  model: modelNames,
  models: modelNames,
  'loadModel(': modelNames,
  'pullModel(': modelNames,
  'removeModel(': modelNames,
  method: methodNames,
  methods: methodNames,
  name: methodNames,
  preset: () => [
    ...new Set(['default', ...[...METHODS.values()].flatMap(({ presets }) => Object.keys(presets ?? {}))]),
  ],
};

async function stringValues({ property, callee }: ValueContext): Promise<readonly string[]> {
  const key = property ?? `${callee ?? ''}(`;
  return Object.hasOwn(STRINGS, key) ? await STRINGS[key]!() : [];
}

/** `method: { name: 'igos+', … }` may have any option of that method. */
function memberNames({ property }: ValueContext, { name }: Readonly<Record<string, string>>): readonly string[] {
  if (property !== 'method') return [];
  const named =
    name === undefined ? [...METHODS.values()] : [METHODS.get(name)].filter((method) => method !== undefined);
  return ['name', 'preset', ...named.flatMap(({ defaults }) => Object.keys(defaults))];
}

/** The cell that brings a library's names into scope. */
export function importCell({ name, values, types }: CellLibrary): string {
  const from = `from ${JSON.stringify(name)};`;
  return [
    ...(values.length > 0 ? [`import { ${values.join(', ')} } ${from}`] : []),
    ...(types.length > 0 ? [`import type { ${types.join(', ')} } ${from}`] : []),
  ].join('\n');
}
