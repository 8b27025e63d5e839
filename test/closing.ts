/** What a run of the tests ends with. */
export interface Closing {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why suites were skipped, by what was. */
  readonly reasons: readonly (readonly [what: string, reason: string])[];
}

/** Prints why anything was skipped, then one line: `N passed, M failed, K skipped`. */
export function printClosing({ passed, failed, skipped, reasons }: Closing): void {
  for (const [what, reason] of reasons) console.log(`SKIPPED ${what}: ${reason}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}

/** In the environment of a Mocha process that is one of several: the file where its reporter leaves a `Report` for test/index.ts. */
export const REPORT_FILE = 'LVLM_LENS_TEST_REPORT';

/** What one of several processes ends with. */
export interface Report {
  readonly closing: Closing;
  /** What Mocha says at the end: counts, and each failure with its stack. */
  readonly epilogue: string;
}
