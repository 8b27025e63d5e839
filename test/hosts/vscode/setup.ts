/** A VS Code to test in: the one inside the npm package code-server, which runs its workbench in any browser. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../../kernel/model/cache-folder.ts';

const run = promisify(execFile);

/** VS Code 1.100: the oldest that the extension says it works in, and the last whose server runs on Node 20. */
export const CODE_SERVER = '4.100.3';

/** Extracts it only once, for all checkouts. */
const FOLDER = path.join(cacheFolder(), 'test-hosts', `code-server-${CODE_SERVER}`);

const serverIn = (folder: string): string =>
  path.join(folder, 'node_modules', 'code-server', 'lib', 'vscode', 'out', 'server-main.js');

type Found = { readonly server: string } | { readonly missing: string };

let vscodeHere: Promise<Found> | undefined;

/** Makes sure that there is a VS Code. @returns its server's script, or why there is none */
export function setUpVsCode(): Promise<Found> {
  vscodeHere ??= install().then(async (found) => {
    if ('server' in found) await giveLogger(found.server);
    return found;
  });
  return vscodeHere;
}

/** It is installed without compiling anything, and its logger would have been compiled. */
async function giveLogger(server: string): Promise<void> {
  const folder = path.join(server, '../../node_modules/@vscode/spdlog');
  if (existsSync(path.join(folder, 'build'))) return;
  // Others may read it at this moment: it changes at once.
  const partial = path.join(folder, `index.${process.pid}.part`);
  await copyFile(path.join(import.meta.dirname, 'spdlog.cjs'), partial);
  await rename(partial, path.join(folder, 'index.js'));
}

async function install(): Promise<Found> {
  const server = serverIn(FOLDER);
  if (existsSync(server) && existsSync(path.join(FOLDER, 'node_modules/code-server/lib/vscode/node_modules'))) {
    return { server };
  }
  // Elsewhere first: what is interrupted half-way must not be taken for an installation.
  const partial = `${FOLDER}.${process.pid}.part`;
  const npm = async (cwd: string, ...args: readonly string[]) =>
    await run('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd,
      timeout: 300_000,
      maxBuffer: 1 << 26,
    });
  try {
    await mkdir(partial, { recursive: true });
    await npm(partial, 'install', `code-server@${CODE_SERVER}`, '--prefix', partial);
    await npm(path.join(partial, 'node_modules', 'code-server', 'lib', 'vscode'), 'install', '--omit=dev');
    await rm(FOLDER, { recursive: true, force: true });
    await rename(partial, FOLDER);
    return { server };
  } catch (error) {
    const reason = String((error as { stderr?: string }).stderr || error)
      .trim()
      .split('\n')[0]!;
    return { missing: `npm could not install code-server@${CODE_SERVER}: ${reason}` };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
