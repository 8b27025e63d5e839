/** Why suites were skipped, for the reporter's closing lines. One process runs all tests, so a global serves. */
const REASONS = Symbol.for('lvlm-lens.test.skipped');

const registry = globalThis as typeof globalThis & { [REASONS]?: Map<string, string> };

/**
 * Skips the running test or hook, and with a hook its suite, for a reason that the closing lines repeat.
 * @param what the suite or test, as a reader would call it
 */
export function skipBecause(context: Mocha.Context, what: string, reason: string): never {
  registry[REASONS] ??= new Map();
  registry[REASONS].set(what, reason);
  return context.skip();
}
