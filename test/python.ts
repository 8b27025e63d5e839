import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Commands that may be a Python, by preference: the one that the environment names, then the usual names. */
const COMMANDS = [process.env['LVLM_LENS_TEST_PYTHON'], 'python3', 'python', 'py'];

/** A Python that can import all of these modules, or undefined where none is installed. */
export async function findPython(...modules: readonly string[]): Promise<string | undefined> {
  for (const command of COMMANDS) {
    if (command === undefined) continue;
    const found = await run(command, ['-c', `import ${modules.join(', ')}`]).then(
      () => true,
      () => false,
    );
    if (found) return command;
  }
  return undefined;
}

/** Runs a Python script or `-c` code. @returns what it printed, without the last line break */
export async function runPython(python: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(python, [...args], { maxBuffer: 1 << 24 });
  return stdout.trimEnd();
}
