import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { env } from 'onnxruntime-node';
import { cacheFolder } from './cache-folder.ts';
import { packageVersion } from './embedded.ts';
import type { ModelFiles } from './files.ts';
import type { ModelProvenance } from './loaded-model.ts';

/** Versions and file hashes of a model. */
export async function modelProvenance({ folder, names }: ModelFiles): Promise<ModelProvenance> {
  const files: Record<string, string> = {};
  for (const name of [...names].sort()) files[name] = await fileHash(path.join(folder, name));
  return { versions: versions(), files };
}

/** Of this package, of ONNX Runtime and of Node. */
export function versions(): Record<string, string> {
  return {
    'lvlm-lens': packageVersion(),
    'onnxruntime-node': env.versions.node ?? env.versions.common,
    node: process.versions.node,
  };
}

/**
 * SHA-256 of a file, hexadecimal. Remembered on disk by path, size and time of change, so that gigabytes of weights are
 * read once.
 */
export async function fileHash(file: string): Promise<string> {
  const real = path.resolve(file);
  const { size, mtimeMs } = await stat(real);
  const key = createHash('sha256').update(`${real}\0${size}\0${mtimeMs}`).digest('hex');
  const remembered = path.join(cacheFolder(), 'hashes', key);
  try {
    const hash = await readFile(remembered, 'utf8');
    if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  } catch {
    // Not remembered yet.
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(real), hash);
  const digest = hash.digest('hex');
  await writeWhole(remembered, digest);
  return digest;
}

/** Writes a file of the cache so that no reader ever sees a half of it. A cache that cannot be written is no error. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const unfinished = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(unfinished, content);
    await rename(unfinished, file);
  } catch {
    // Read-only home folders and full disks cost time, not results.
  }
}
