/** The extension's package, made once for all tests. */
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { packageExtension } from '../../../extension/package/index.ts';
import { targetNamed } from '../../../extension/package/targets.ts';

let packaged: Promise<string> | undefined;

/** The package for this platform: made anew where anything that goes into it is younger. @returns its path */
export function packagedExtension(): Promise<string> {
  return (packaged ??= make());
}

async function make(): Promise<string> {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  const target = targetNamed();
  const file = path.resolve('out', `lvlm-lens-${target.name}-${version}.vsix`);
  const made = existsSync(file) ? (await stat(file)).mtimeMs : 0;
  if (made < (await youngest(['dist', 'models', 'notebooks', 'extension', 'package.json', 'package-lock.json']))) {
    await packageExtension(target, { out: file, draft: true });
  }
  return file;
}

/** When the latest change of any of these files and folders was, in ms. */
async function youngest(files: readonly string[]): Promise<number> {
  let latest = 0;
  for (const file of files) {
    const about = await stat(file);
    const inside = about.isDirectory() ? (await readdir(file)).map((name) => path.join(file, name)) : [];
    // tsc touches its own notes whether or not anything changed.
    latest = Math.max(latest, about.isDirectory() ? await youngest(inside) : about.mtimeMs);
  }
  return latest;
}
