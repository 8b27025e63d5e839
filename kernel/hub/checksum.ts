import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { RemoteFile } from './listing.ts';

/** A running checksum of a file of known size, as the Hub names it. Source: gitformat-pack, "blob <size>\0" before the content. */
export function startChecksum({ checksum, size }: Pick<RemoteFile, 'checksum' | 'size'>): Hash {
  return checksum === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}
