/**
 * The native libraries in the extension's package. A package is a zip file; Brotli makes them a fifth smaller than its own compression
 * does, so they lie in it under `.br` names and are written out, beside themselves, before anything needs them.
 */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { LensError } from '../kernel/errors.ts';
import { packageFolder } from '../kernel/model/embedded.ts';

/** What is packed, in dist/: absent where this runs from a checkout. */
export const PACKED_LIST = 'packed.json';

/** Added to the name of a packed file. */
export const PACKED_SUFFIX = '.br';

/** One packed file. */
export interface PackedFile {
  /** Where it belongs, from the folder of the list, with '/'. */
  readonly file: string;
  /** Its size when it is unpacked. */
  readonly bytes: number;
}

let own: Promise<void> | undefined;

/**
 * Resolves when this package's libraries are where they belong; the first call writes them out.
 * @throws LensError as `unpackBinaries` does; the next call tries again
 */
export function binaries(): Promise<void> {
  own ??= unpackBinaries(path.join(packageFolder(), 'dist')).catch((error: unknown) => {
    own = undefined;
    throw error;
  });
  return own;
}

/**
 * Writes out what is packed in a folder and not there yet. Others may do the same at the same time: a file appears whole or not at all.
 * @param dist the folder of the list
 * @throws LensError where the folder cannot be written or a file is damaged
 */
export async function unpackBinaries(dist: string): Promise<void> {
  const list = path.join(dist, PACKED_LIST);
  if (!existsSync(list)) return;
  const files = JSON.parse(await readFile(list, 'utf8')) as readonly PackedFile[];
  await Promise.all(files.map((each) => unpack(path.join(dist, each.file), each.bytes)));
}

async function unpack(file: string, bytes: number): Promise<void> {
  const packed = file + PACKED_SUFFIX;
  if (!(await isWhole(file, bytes))) {
    const partial = `${file}.${process.pid}-${Math.random().toString(36).slice(2)}.part`;
    try {
      await pipeline(createReadStream(packed), createBrotliDecompress(), createWriteStream(partial));
      if (!(await isWhole(partial, bytes))) throw new Error('it is not of the size that it should have');
      await rename(partial, file);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => undefined);
      // Another window was quicker.
      if (await isWhole(file, bytes)) return;
      throw new LensError(
        `${path.basename(file)} could not be unpacked: ${(error as Error).message}`,
        'The folder of the extension must be writable, with room on its disk. Otherwise install the extension again.',
      );
    }
  }
  // It would only take room.
  await rm(packed, { force: true }).catch(() => undefined);
}

async function isWhole(file: string, bytes: number): Promise<boolean> {
  return await stat(file).then(
    ({ size }) => size === bytes,
    () => false,
  );
}
