/** Why suites of this process were skipped, for the closing lines: global, for the reporter and the tests have modules of their own. */
const REASONS = Symbol.for('lvlm-lens.test.skipped');

const registry = globalThis as typeof globalThis & { [REASONS]?: Map<string, string> };

/** Reasons by what was skipped. */
export function skipReasons(): Map<string, string> {
  return (registry[REASONS] ??= new Map());
}

/**
 * Skips the running test or hook, and with a hook its suite, for a reason that the closing lines repeat.
 * @param what the suite or test, as a reader would call it
 */
export function skipBecause(context: Mocha.Context, what: string, reason: string): never {
  skipReasons().set(what, reason);
  return context.skip();
}
