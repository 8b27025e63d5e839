/** Packs the native libraries of a package that is being made: see `packed-binaries.ts`. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { PACKED_LIST, PACKED_SUFFIX, type PackedFile } from '../packed-binaries.ts';

const compress = promisify(brotliCompress);

const BINARY = /\.(node|dll|dylib|dat|so(\.\d+)*)$/;

/** Smaller ones gain nothing that is worth the trouble, in bytes. */
const LEAST = 250_000;

/**
 * Replaces the native libraries in `dist` by packed ones, and lists them.
 * @param quality of Brotli, 0 to 11: 11 takes a minute for 20 MB and 5 a second, for a tenth more bytes
 */
export async function packBinaries(dist: string, quality: number): Promise<void> {
  const entries = await readdir(dist, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && BINARY.test(entry.name));
  const packed = await Promise.all(
    names.map(async (entry): Promise<PackedFile[]> => {
      const file = path.join(entry.parentPath, entry.name);
      const content = await readFile(file);
      if (content.length < LEAST) return [];
      await writeFile(file + PACKED_SUFFIX, await compress(content, { params: parameters(quality, content.length) }));
      await rm(file);
      return [{ file: path.relative(dist, file).split(path.sep).join('/'), bytes: content.length }];
    }),
  );
  const list = packed.flat().sort((a, b) => (a.file < b.file ? -1 : 1));
  await writeFile(path.join(dist, PACKED_LIST), JSON.stringify(list, undefined, 2));
}

function parameters(quality: number, bytes: number): Record<number, number> {
  return {
    [constants.BROTLI_PARAM_QUALITY]: quality,
    // The widest that every decoder takes.
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
  };
}
