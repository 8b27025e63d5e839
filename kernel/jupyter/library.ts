/** The library that cells may use without installing it: this package itself, wherever the notebook lies. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A package offered to cells by name, though no `node_modules` folder beside the notebook holds it. */
export interface CellLibrary {
  /** As cells write it: `import { explain } from 'lvlm-lens'`. */
  readonly name: string;
  /** Folder of its package.json; types are found from there. */
  readonly root: string;
  /** What importing it by its bare name gives. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names of values in scope without import. */
  readonly values: readonly string[];
  /** Names of types in scope without import. */
  readonly types: readonly string[];
}

/** The folder of this package: the nearest one upwards from this file whose package.json is ours. */
export function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = path.join(folder, 'package.json');
    if (existsSync(file)) {
      const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string };
      if (name === 'lvlm-lens') return folder;
    }
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error(`no package.json of lvlm-lens above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
}

/** Version of this package, from its package.json. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
