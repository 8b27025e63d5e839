/** Spawns the real, bundled command. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const COMMAND = path.resolve(import.meta.dirname, '../../dist/lvlm-lens.js');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `lvlm-lens` in `cwd`, with `env` added to the environment; `finished` resolves when it ends and all that it wrote was read. */
export function start(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): { child: ChildProcess; finished: Promise<Finished> } {
  if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is missing: run "npm run build" first`);
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
  return { child, finished };
}

/** Runs `lvlm-lens` to its end. */
export function lvlmLens(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return start(args, cwd, env).finished;
}

/** Resolves when the command has written something that matches to standard error. */
export function saw(child: ChildProcess, pattern: RegExp): Promise<void> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (more: string) => {
      text += more;
      if (pattern.test(text)) resolve();
    });
    child.on('close', () => {
      reject(new Error(`the command ended before it wrote ${String(pattern)}: ${text}`));
    });
  });
}
