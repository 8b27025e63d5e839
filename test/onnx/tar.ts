import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { basename, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

const BLOCK = 512;

/** Unpacks those files of a .tgz whose names match, under their own names, into one folder. */
export async function extract(archive: string, folder: string, wanted: RegExp): Promise<void> {
  let rest = Buffer.alloc(0);
  /** Bytes of the file that is being read, and the zeros that fill its last block. */
  let left = 0;
  let padding = 0;
  let target: WriteStream | undefined;
  for await (const chunk of createReadStream(archive).pipe(createGunzip())) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (;;) {
      if (left > 0) {
        const part = rest.subarray(0, left);
        if (part.length === 0) break;
        if (target !== undefined && !target.write(part)) await once(target, 'drain');
        left -= part.length;
        rest = rest.subarray(part.length);
        if (left > 0) break;
        target?.end();
        if (target !== undefined) await finished(target);
        target = undefined;
      }
      if (rest.length < padding + BLOCK) break;
      const header = rest.subarray(padding, padding + BLOCK);
      rest = rest.subarray(padding + BLOCK);
      const text = (from: number, to: number) => header.toString('utf8', from, to).replace(/\0.*$/s, '');
      const name = text(0, 100);
      left = name === '' ? 0 : parseInt(text(124, 136), 8);
      padding = (BLOCK - (left % BLOCK)) % BLOCK;
      if (wanted.test(name)) target = createWriteStream(join(folder, basename(name)));
    }
  }
}
