import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { LensError } from '../errors.ts';
import { fileSize } from '../hub/file-size.ts';

/** The largest picture that a dataset may have, as a file. */
export const MOST_IMAGE_BYTES = 64e6;

/**
 * The path of a picture that a dataset names. What a dataset says is not to be trusted: the file must lie in the dataset's folder, also
 * after links have been followed, and be no larger than a picture is.
 * @throws LensError where it does not, or does not exist
 */
export async function pictureInside(folder: string, name: string): Promise<string> {
  const file = path.resolve(folder, name);
  if (name.includes('\0') || /^[a-z][a-z0-9+.-]+:/i.test(name) || !isWithin(folder, file)) throw outside(name, folder);
  let real: string;
  try {
    real = await realpath(file);
  } catch (cause) {
    throw new LensError(`there is no picture "${name}" in "${folder}"`, 'Give the folder with the option "images"', {
      cause,
    });
  }
  if (!isWithin(await realpath(cacheOf(folder) ?? folder), real)) throw outside(name, folder);
  const found = await stat(real);
  if (!found.isFile()) throw new LensError(`the picture "${name}" is not a file`);
  if (found.size > MOST_IMAGE_BYTES) {
    throw new LensError(
      `the picture "${name}" is too large: ${fileSize(found.size)}, at most ${fileSize(MOST_IMAGE_BYTES)}`,
    );
  }
  return file;
}

function outside(name: string, folder: string): LensError {
  return new LensError(`the picture "${name}" lies outside the dataset's folder "${folder}"`, 'It is not read');
}

function isWithin(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** The Hub's cache keeps files of a dataset beside its snapshots, which are links: its folder of the whole dataset. */
function cacheOf(folder: string): string | undefined {
  const parts = path.resolve(folder).split(path.sep);
  const at = parts.findLastIndex((part, i) => part.startsWith('datasets--') && parts[i + 1] === 'snapshots');
  return at < 0 ? undefined : parts.slice(0, at + 1).join(path.sep);
}
