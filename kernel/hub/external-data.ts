import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { isSafePath } from './repository.ts';

/** A graph whose weights lie beside it is small itself; larger files hold their own. In bytes. */
const LARGEST = 64e6;

/** `key: "location"` of TensorProto.external_data, then the tag of `value`; its length and the value follow. */
const LOCATION = Buffer.from('\n\x08location\x12', 'latin1');

const known = new LRUCache<string, readonly string[]>({ max: 200 });

/**
 * Names of the files beside an .onnx file that hold its weights. Found by the bytes of the protobuf alone, so that a look into the
 * cache costs milliseconds.
 */
export async function externalDataFiles(file: string): Promise<readonly string[]> {
  const { size, mtimeMs } = await stat(file);
  if (size > LARGEST) return [];
  const key = `${file}\0${size}\0${mtimeMs}`;
  let names = known.get(key);
  if (names === undefined) {
    names = [...locations(await readFile(file))].filter((name) => isSafePath(name));
    known.set(key, names);
  }
  return names.map((name) => path.join(path.dirname(file), name));
}

function locations(bytes: Buffer): Set<string> {
  const names = new Set<string>();
  for (let at = bytes.indexOf(LOCATION); at >= 0; at = bytes.indexOf(LOCATION, at + LOCATION.length)) {
    const length = bytes[at + LOCATION.length];
    // A name of 128 bytes or more would have a longer length; nobody writes such.
    if (length === undefined || length > 127) continue;
    const start = at + LOCATION.length + 1;
    names.add(bytes.toString('utf8', start, start + length));
  }
  return names;
}
