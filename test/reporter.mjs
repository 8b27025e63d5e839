import Mocha from 'mocha';

const { Spec } = Mocha.reporters;

/** The spec reporter, then why anything was skipped, then one line: `N passed, M failed, K skipped`. */
export default class ClosingLine extends Spec {
  epilogue() {
    super.epilogue();
    for (const [what, reason] of globalThis[Symbol.for('lvlm-lens.test.skipped')] ?? []) {
      console.log(`SKIPPED ${what}: ${reason}`);
    }
    const { passes, failures, pending } = this.stats;
    console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
  }
}
