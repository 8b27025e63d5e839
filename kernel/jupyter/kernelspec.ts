/** The folder by which Jupyter knows a kernel, and where Jupyter keeps such folders. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { LensError } from '../errors.ts';
import { packageFolder } from '../model/embedded.ts';
import { DISPLAY_NAME, KERNEL_NAME, LANGUAGE_INFO } from './language-info.ts';

const run = promisify(execFile);

/** Where to install: as the options of `jupyter kernelspec install`. */
export type Place = { readonly kind: 'user' | 'sys-prefix' } | { readonly kind: 'prefix'; readonly prefix: string };

/** A command that runs Jupyter, with the arguments that come first. */
export type JupyterCommand = readonly [command: string, ...args: string[]];

const WINDOWS = process.platform === 'win32';

/**
 * The `jupyter` of the prefix where one is named, else the one on the path, else a Python's.
 * @throws LensError where there is none
 */
export async function findJupyter(place: Place): Promise<JupyterCommand> {
  const candidates: JupyterCommand[] = [
    ...(place.kind === 'prefix' ? [inPrefix(place.prefix)] : []),
    ['jupyter'],
    ...(WINDOWS ? [['py', '-m', 'jupyter'] as const] : []),
    ['python3', '-m', 'jupyter'],
    ['python', '-m', 'jupyter'],
  ];
  for (const [command, ...args] of candidates) {
    const found = await run(command, [...args, 'kernelspec', '--version']).catch(() => undefined);
    if (found) return [command, ...args];
  }
  const names = candidates.map((candidate) => `"${candidate.join(' ')}"`).join(', ');
  throw new LensError(
    `Jupyter was not found: none of ${names} runs`,
    'Install it with "pip install jupyterlab", or activate the environment that has it. VS Code needs no Jupyter.',
  );
}

function inPrefix(prefix: string): JupyterCommand {
  return [WINDOWS ? path.join(prefix, 'Scripts', 'jupyter.exe') : path.join(prefix, 'bin', 'jupyter')];
}

/**
 * Installs the kernel, and the viewer for JupyterLab where this package has it.
 * @returns the folders that were made
 */
export async function installKernel(place: Place): Promise<string[]> {
  const jupyter = await findJupyter(place);
  const spec = await makeKernelspec();
  try {
    const options = place.kind === 'prefix' ? [`--prefix=${path.resolve(place.prefix)}`] : [`--${place.kind}`];
    const output = await call(jupyter, [
      'kernelspec',
      'install',
      spec,
      `--name=${KERNEL_NAME}`,
      '--replace',
      ...options,
    ]);
    const folder = /Installed kernelspec \S+ in (.+?)\s*$/m.exec(output)?.[1];
    if (folder === undefined)
      throw new LensError(`Jupyter did not say where it installed the kernel: ${output.trim()}`);
    return [folder, ...(await installViewer(path.dirname(path.dirname(folder))))];
  } finally {
    await rm(spec, { recursive: true, force: true });
  }
}

/**
 * Removes the kernel and the viewer from `place`, or from wherever Jupyter finds them.
 * @returns the folders that were removed
 */
export async function uninstallKernel(place: Place | undefined): Promise<string[]> {
  const jupyter = await findJupyter(place ?? { kind: 'user' });
  const roots = await dataFolders(jupyter, place);
  const folders = roots.flatMap((root) => [path.join(root, 'kernels', KERNEL_NAME), viewerFolder(root)]);
  const removed: string[] = [];
  for (const folder of folders.filter((candidate) => existsSync(candidate))) {
    try {
      await rm(folder, { recursive: true });
    } catch (error) {
      throw new LensError(`cannot remove "${folder}": ${(error as Error).message}`, 'Remove it by hand.', {
        cause: error,
      });
    }
    removed.push(folder);
  }
  return removed;
}

/** A folder with kernel.json and the logos. */
async function makeKernelspec(): Promise<string> {
  const entry = path.join(packageFolder(), 'dist', 'jupyter.js');
  if (!existsSync(entry)) throw new LensError(`"${entry}" is missing`, 'Run "npm run build", or install again.');
  const folder = await mkdtemp(path.join(tmpdir(), 'lvlm-lens-kernelspec-'));
  const spec = {
    argv: [process.execPath, '--enable-source-maps', entry, '{connection_file}'],
    display_name: DISPLAY_NAME,
    language: LANGUAGE_INFO.name,
    interrupt_mode: 'message',
    metadata: { debugger: false },
  };
  await writeFile(path.join(folder, 'kernel.json'), `${JSON.stringify(spec, undefined, 2)}\n`);
  await cp(path.join(packageFolder(), 'dist', 'logos'), folder, { recursive: true });
  return folder;
}

/** The viewer for JupyterLab, a prebuilt extension, goes beside the kernels. */
async function installViewer(root: string): Promise<string[]> {
  const source = path.join(packageFolder(), 'dist', 'labextension');
  if (!existsSync(source)) return [];
  const target = viewerFolder(root);
  await rm(target, { recursive: true, force: true });
  await cp(source, target, { recursive: true });
  return [target];
}

function viewerFolder(root: string): string {
  return path.join(root, 'labextensions', KERNEL_NAME);
}

const Paths = z.looseObject({ data: z.array(z.string()) });

async function dataFolders(jupyter: JupyterCommand, place: Place | undefined): Promise<string[]> {
  if (place?.kind === 'prefix') return [path.join(path.resolve(place.prefix), 'share', 'jupyter')];
  if (place?.kind === 'user') return [(await call(jupyter, ['--data-dir'])).trim()];
  const { data } = Paths.parse(JSON.parse(await call(jupyter, ['--paths', '--json'])));
  if (!place) return data;
  // Jupyter lists the environment's folder among others; the user's is told apart by its own question.
  const user = (await call(jupyter, ['--data-dir'])).trim();
  const [environment] = data.filter((folder) => folder !== user);
  return environment === undefined ? [] : [environment];
}

/** Standard output and error, on which Jupyter's commands log. */
async function call([command, ...before]: JupyterCommand, args: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run(command, [...before, ...args]);
    return args[0] === 'kernelspec' ? stdout + stderr : stdout;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const last = stderr.trim().split('\n').at(-1);
    const denied = /PermissionError|Permission denied/.test(stderr);
    throw new LensError(
      `"${[command, ...before, ...args].join(' ')}" failed: ${last === undefined || last === '' ? message : last}`,
      denied ? 'Install with --user, or with the rights to write there.' : undefined,
      { cause: error },
    );
  }
}
