import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of this package, whether this file runs from its source or from a bundle in dist/. */
export function packageFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!isOurs(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error(`no package.json of lvlm-lens above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
  return folder;
}

/** The version in package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(path.join(packageFolder(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** Names of the models that come with this package, such as 'pocket'. */
export function embeddedModels(): string[] {
  const folder = path.join(packageFolder(), 'models');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => existsSync(path.join(folder, name, 'config.json')));
}

/** Folder of an embedded model; undefined where there is none of that name. */
export function embeddedFolder(name: string): string | undefined {
  return embeddedModels().includes(name) ? path.join(packageFolder(), 'models', name) : undefined;
}

function isOurs(file: string): boolean {
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'lvlm-lens';
}
