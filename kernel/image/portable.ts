import path from 'node:path';
import type { ImageSource } from './picture.ts';

/** An image source as plain data that can cross to another process, whatever that one's working directory is. */
export type PortableImage = Exclude<ImageSource, URL>;

/** @param folder where relative paths start; the working directory by default */
export function portableImage(source: ImageSource, folder = process.cwd()): PortableImage {
  if (source instanceof URL) return source.href;
  if (typeof source === 'string') {
    const isUrl = /^(https?|data|file):/i.test(source.trim());
    return isUrl || source.trim() === '' ? source : path.resolve(folder, source);
  }
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return source;
  if (typeof source !== 'object' || source === null) return source;
  // An ImageData of a canvas keeps its fields on its prototype, which a structured clone leaves behind.
  const { data, width, height } = source;
  return { data, width, height };
}
