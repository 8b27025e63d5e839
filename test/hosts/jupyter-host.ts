/** A Python environment with Jupyter, in the user's cache folder, and our kernel installed for it by our own command. */
import { execFile, type ExecFileOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { withLock } from '../../kernel/hub/lock.ts';
import { cacheFolder } from '../../kernel/model/cache-folder.ts';
import { lvlmLens } from '../cli/command.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';

const run = promisify(execFile);

const REQUIREMENTS = path.resolve(import.meta.dirname, 'jupyter/requirements.txt');

/** The scripts of a virtual environment. */
const BIN = process.platform === 'win32' ? 'Scripts' : 'bin';

export interface JupyterHost {
  /** Folder of the Python environment. */
  readonly prefix: string;
  /** Path of a program in it. */
  program(name: string): string;
  /** With settings, history and kernels of this environment alone. */
  readonly env: NodeJS.ProcessEnv;
}

let host: Promise<JupyterHost | { readonly missing: string }> | undefined;

/** Makes it where it is missing, which takes a minute or two; resolves to why it cannot be made otherwise. */
export function jupyterHost(): Promise<JupyterHost | { readonly missing: string }> {
  host ??= setUp();
  return host;
}

async function setUp(): Promise<JupyterHost | { missing: string }> {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const version = createHash('sha256').update(requirements).digest('hex').slice(0, 8);
  const prefix = path.join(cacheFolder(), `jupyter-host-${version}`);
  const complete = path.join(prefix, 'complete');
  // The tests are several processes: who comes second waits, and finds it made.
  const missing = await withLock(`${prefix}.lock`, new AbortController().signal, NOTHING, async () => {
    if (existsSync(complete)) return undefined;
    const failure = await makeEnvironment(prefix);
    await (failure === undefined ? writeFile(complete, requirements) : rm(prefix, { recursive: true, force: true }));
    return failure;
  });
  if (missing !== undefined) return { missing };
  const own = temporaryFolder('jupyter');
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: [path.join(prefix, BIN), process.env['PATH'] ?? ''].join(path.delimiter),
    JUPYTER_CONFIG_DIR: path.join(own, 'config'),
    JUPYTER_DATA_DIR: path.join(own, 'data'),
    JUPYTER_RUNTIME_DIR: path.join(own, 'runtime'),
    JUPYTER_PATH: path.join(own, 'kernel/share/jupyter'),
    IPYTHONDIR: path.join(own, 'ipython'),
    PYTHONDONTWRITEBYTECODE: '1',
  };
  delete env['VIRTUAL_ENV'];
  // Not into the environment itself, which other checkouts share.
  const target = path.join(own, 'kernel');
  const installed = await lvlmLens(['jupyter', 'install', '--prefix', target], own, { PATH: env['PATH']! });
  if (installed.code !== 0) throw new Error(`the kernel could not be installed: ${installed.stderr}`);
  return { prefix, env, program: (name) => path.join(prefix, BIN, name) };
}

const NOTHING = (): Promise<void> => Promise.resolve();

async function makeEnvironment(prefix: string): Promise<string | undefined> {
  await mkdir(path.dirname(prefix), { recursive: true });
  const python = process.platform === 'win32' ? 'python' : 'python3';
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS];
  try {
    await run(python, ['-m', 'venv', '--clear', prefix], { timeout: 120_000 });
    await run(path.join(prefix, BIN, 'python'), pip, { timeout: 600_000 });
    return undefined;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('WARNING'));
    return `Jupyter could not be installed for the test (${lines.at(-1) ?? message})`;
  }
}

export interface Ended {
  readonly code: number;
  /** Standard output and error. */
  readonly output: string;
}

/** Runs a program of the environment to its end; a program that fails is no exception. */
export async function runProgram(
  { env, program }: JupyterHost,
  name: string,
  args: readonly string[],
  options: ExecFileOptions = {},
): Promise<Ended> {
  const settings = { env, maxBuffer: 64 * 1024 * 1024, encoding: 'utf8', ...options } as const;
  try {
    const { stdout, stderr } = await run(program(name), [...args], settings);
    return { code: 0, output: String(stdout) + String(stderr) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: typeof code === 'number' ? code : -1, output: `${stdout}${stderr}` };
  }
}
