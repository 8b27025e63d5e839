import { readFile, stat } from 'node:fs/promises';
import { LensError } from '../../errors.ts';
import { fileSize } from '../../hub/file-size.ts';

const MOST_BYTES = 256e6;

/** A text file's content, without a byte order mark. @throws LensError where it cannot be read, or is too large for text */
export async function textOf(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > MOST_BYTES) {
    throw new LensError(`"${file}" is too large: ${fileSize(size)}, at most ${fileSize(MOST_BYTES)}`, 'Split it');
  }
  return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
}
