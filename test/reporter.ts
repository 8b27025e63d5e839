import { writeFileSync } from 'node:fs';
import { format } from 'node:util';
import Mocha from 'mocha';
import { printClosing, REPORT_FILE, type Report } from './closing.ts';
import { skipReasons } from './skip.ts';

const { Base, Spec } = Mocha.reporters;

/** The spec reporter, then the closing lines. One of several processes leaves to test/index.ts what comes after its last test. */
export default class ClosingLines extends Spec {
  override epilogue(): void {
    const { passes, failures, pending } = this.stats;
    const closing = { passed: passes, failed: failures, skipped: pending, reasons: [...skipReasons()] };
    const file = process.env[REPORT_FILE];
    if (file === undefined) {
      super.epilogue();
      printClosing(closing);
      return;
    }
    const lines: string[] = [];
    Base.consoleLog = (...data: unknown[]) => lines.push(format(...data));
    super.epilogue();
    writeFileSync(file, JSON.stringify({ closing, epilogue: lines.join('\n') } satisfies Report));
  }
}
