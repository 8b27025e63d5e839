/**
 * `npm test -- [options of Mocha]`: all tests, in three processes side by side, and at the end one report. One process would wait for
 * other programs half of the time. To run some of the tests, `npx mocha` is enough.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { printClosing, REPORT_FILE, type Closing, type Report } from './closing.ts';

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

/** Tests that share what is installed, started or written for them, and so a process, by what they run in. */
const HOSTS: Readonly<Record<string, readonly string[]>> = {
  // The notebooks are compared as these clients have executed them.
  "in Jupyter's clients": ['test/hosts/jupyter.test.ts', 'test/notebooks/**/*.test.ts'],
  'in browsers, JupyterLab and VS Code': [
    'test/hosts/jupyterlab.test.ts',
    'test/hosts/vscode/**/*.test.ts',
    'test/renderer/**/*.test.ts',
    'test/report/**/*.test.ts',
  ],
};

/** Every process with the arguments that choose its tests. */
const PROCESSES: Readonly<Record<string, readonly string[]>> = {
  ...HOSTS,
  'without hosts': [
    'test/**/*.test.ts',
    ...Object.values(HOSTS)
      .flat()
      .flatMap((spec) => ['--ignore', spec]),
  ],
};

/** Models share the processor: where threads outnumber its cores, they wait for each other more than they compute. */
const THREADS = Math.max(1, Math.floor(os.availableParallelism() / Object.keys(PROCESSES).length));

/** What is still running. */
const running = new Set<SuiteBySuite>();

/** Passes on what a process writes, in whole suites, so that they do not mix: the spec reporter leaves a line empty after each. */
class SuiteBySuite {
  #held = '';

  constructor({ stdout, stderr }: ChildProcess) {
    running.add(this);
    for (const input of [stdout!, stderr!]) {
      createInterface({ input }).on('line', (line) => {
        this.#held += `${line}\n`;
        // The last to run has nobody to wait for.
        if (line === '' || running.size === 1) this.#pass();
      });
    }
  }

  end(): void {
    this.#pass();
    running.delete(this);
    if (running.size === 1) for (const last of running) last.#pass();
  }

  #pass(): void {
    process.stdout.write(this.#held);
    this.#held = '';
  }
}

/** Runs Mocha to its end. @param file where it leaves its report */
async function run(args: readonly string[], file: string): Promise<Report> {
  const child = spawn(process.execPath, [MOCHA, ...args], {
    env: { LVLM_LENS_THREADS: `${THREADS}`, ...process.env, [REPORT_FILE]: file },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = new SuiteBySuite(child);
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      resolve(status ?? signal ?? 'unknown');
    });
  });
  output.end();
  const report = readReport(file);
  // As many as failed, but no more than 255.
  const failed = report?.closing.failed ?? 0;
  if (report !== undefined && code === Math.min(failed, 255)) return report;
  const { closing, epilogue } = report ?? { closing: NOTHING, epilogue: '' };
  const problem = `  Mocha ended with ${code} ${report ? 'after' : 'before'} its last test: see what it wrote above.`;
  return { closing: sum([closing, { ...NOTHING, failed: 1 }]), epilogue: `${epilogue}\n${problem}\n` };
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

const NOTHING: Closing = { passed: 0, failed: 0, skipped: 0, reasons: [] };

function sum(closings: readonly Closing[]): Closing {
  return closings.reduce((a, b) => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    reasons: [...new Map([...a.reasons, ...b.reasons])],
  }));
}

const options = [process.stdout.isTTY ? '--color' : '--no-color', ...process.argv.slice(2)];
const folder = mkdtempSync(path.join(os.tmpdir(), 'lvlm-lens-test-reports-'));
// A terminal interrupts all processes: this one says what the others have come to.
process.on('SIGINT', () => undefined);
const reports = await Promise.all(
  Object.entries(PROCESSES).map(async ([name, specs], index) => {
    const report = await run([...specs, ...options], path.join(folder, `${index}.json`));
    return { name, ...report };
  }),
);
rmSync(folder, { recursive: true });
for (const { name, epilogue } of reports) console.log(`\n  Tests ${name}:${epilogue}`);
const closing = sum(reports.map(({ closing }) => closing));
printClosing(closing);
if (closing.failed > 0 || closing.passed === 0) process.exitCode = 1;
