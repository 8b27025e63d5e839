/** A small library on disk, offered to cells in the way that the real one is. */
import { mkdtempSync, realpathSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CellLibrary } from '../../kernel/jupyter/library.ts';

/** A folder of its own for a test, outside this project, so that no `node_modules` is above it. */
export function temporaryFolder(name: string): string {
  return realpathSync(mkdtempSync(path.join(tmpdir(), `lvlm-lens-${name}-`)));
}

/** Writes files, given by their paths below `folder`. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [file, content] of Object.entries(files)) {
    const target = path.join(folder, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
}

/** `twice(n)` and the type `Pair`. */
export function tinyLibrary(): CellLibrary {
  const root = temporaryFolder('library');
  writeFiles(root, {
    'package.json': JSON.stringify({ name: 'tiny', types: 'tiny.d.ts', main: 'tiny.js' }),
    'tiny.d.ts':
      'export declare function twice(n: number): number;\nexport interface Pair { left: number; right: number }\n',
  });
  return { name: 'tiny', root, exports: { twice: (n: number) => 2 * n }, values: ['twice'], types: ['Pair'] };
}
