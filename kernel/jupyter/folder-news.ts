/**
 * Tells the compiler of files that may have come into being. It remembers where it has looked in vain, and would be told by
 * watching whole trees of folders; instead it is told when a cell asks for the module once more.
 */
import path from 'node:path';
import type ts from '@tslab/typescript-for-tslab';

const ENDINGS = ['', '.ts', '.tsx', '.d.ts', '.js', '.json', '/index.ts', '/index.d.ts', '/package.json'];

export class FolderNews {
  readonly #cwd: string;
  readonly #listeners = new Set<{ readonly folder: string; readonly callback: ts.DirectoryWatcherCallback }>();

  /** @param cwd the folder that cells import from */
  constructor(cwd: string) {
    this.#cwd = cwd.split(path.sep).join('/');
  }

  listen(folder: string, callback: ts.DirectoryWatcherCallback): ts.FileWatcher {
    const listener = { folder, callback };
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** @param specifier as a cell imports it */
  mayBeThere(specifier: string): void {
    const isFile = /^\.{0,2}\//.test(specifier);
    const base = path.posix.resolve(this.#cwd, isFile ? specifier : `node_modules/${specifier}`);
    const files = [
      ...(isFile ? [] : [path.posix.join(this.#cwd, 'node_modules')]),
      ...ENDINGS.map((ending) => base + ending),
    ];
    for (const { folder, callback } of this.#listeners) {
      for (const file of files) if (file.startsWith(`${folder}/`)) callback(file);
    }
  }
}
