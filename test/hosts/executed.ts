const KEY = Symbol.for('notebooks executed by these tests');
const shared = globalThis as { [KEY]?: Map<string, string> };

/**
 * The project's notebooks that this run of the tests has executed, by file name: where they were saved. Executing them takes minutes, so that
 * whoever compares what they say does not do it once more. Shared by symbol: test files that await at their top level are loaded by another loader
 * than the others, with modules of their own.
 */
export const executed: Map<string, string> = (shared[KEY] ??= new Map<string, string>());
