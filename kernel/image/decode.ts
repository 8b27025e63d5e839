import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { LensError } from '../errors.ts';
import type { ImageDataLike, ImageSource, Picture } from './picture.ts';

/** 12,000 × 12,500 px: more than any camera takes, less than what fills the memory when decoded. */
const MOST_PIXELS = 150_000_000;
const MOST_BYTES_FETCHED = 100_000_000;
const FETCH_TIMEOUT_MS = 30_000;
const FORMATS = 'JPEG, PNG, WebP, GIF, TIFF, AVIF and SVG';

/**
 * Decodes a picture to 8-bit sRGB as an eye would see it: EXIF rotation applied, CMYK, grey and 16 bits converted,
 * transparency composed over white, the first frame of an animation.
 * @throws LensError for whatever cannot be read: missing, not an image, truncated, too large, empty
 */
export async function decodeImage(source: ImageSource): Promise<Picture> {
  if (isPixels(source)) return picture(rgbPixels(source), undefined);
  const { bytes, label, name } = await load(source);
  return picture(await decodeBytes(bytes, label), name);
}

interface Loaded {
  readonly bytes: Uint8Array;
  /** How messages call the picture. */
  readonly label: string;
  readonly name: string | undefined;
}

async function load(source: Exclude<ImageSource, ImageDataLike>): Promise<Loaded> {
  if (source instanceof ArrayBuffer) return load(new Uint8Array(source));
  if (source instanceof Uint8Array)
    return { bytes: source, label: `the image (${source.length} bytes)`, name: undefined };
  if (typeof source !== 'string' && !(source instanceof URL)) throw notAnImage(source);
  const text = String(source).trim();
  if (text === '') throw new LensError('the image is an empty string', 'Give a path, a URL, a Buffer or ImageData');
  const scheme = /^(https?|data|file):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === 'data')
    return { bytes: await fetchBytes(text, 'the data: URL'), label: 'the data: URL', name: undefined };
  if (scheme === 'file') return readPath(pathOfUrl(text));
  if (scheme === undefined) return readPath(text);
  const label = `the image ${text}`;
  return {
    bytes: await fetchBytes(text, label),
    label,
    name: path.posix.basename(new URL(text).pathname) || undefined,
  };
}

async function readPath(file: string): Promise<Loaded> {
  const label = `the image "${file}"`;
  try {
    return { bytes: await readFile(file), label, name: path.basename(file) };
  } catch (cause) {
    const [what, remedy] = READ_FAILURES[(cause as NodeJS.ErrnoException).code ?? ''] ?? [String(cause), undefined];
    throw new LensError(`cannot read ${label}: ${what}`, remedy?.(file), { cause });
  }
}

const READ_FAILURES: Readonly<Record<string, readonly [string, (file: string) => string]>> = {
  ENOENT: [
    'the file does not exist',
    (file) => (path.isAbsolute(file) ? 'Check the path' : `Relative paths start from ${process.cwd()}`),
  ],
  EISDIR: ['it is a folder', () => 'Give the path of an image file'],
  EACCES: ['permission denied', () => 'Check the permissions of the file'],
};

function pathOfUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new LensError(`cannot read the image ${url}: ${(cause as Error).message}`, undefined, { cause });
  }
}

async function fetchBytes(url: string, label: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  } catch (cause) {
    const reason = (cause as Error).cause ?? cause;
    throw new LensError(`cannot fetch ${label}: ${(reason as Error).message}`, 'Check the address and the network', {
      cause,
    });
  }
  if (!response.ok) throw new LensError(`cannot fetch ${label}: ${response.status} ${response.statusText}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MOST_BYTES_FETCHED) {
      throw new LensError(
        `cannot fetch ${label}: it is larger than ${MOST_BYTES_FETCHED / 1e6} MB`,
        'Give a smaller image',
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface RgbPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

async function decodeBytes(bytes: Uint8Array, label: string): Promise<RgbPixels> {
  if (bytes.length === 0) throw new LensError(`cannot decode ${label}: it is empty (0 bytes)`, 'Give an image file');
  try {
    // 'error' also fails on truncated data, but not on mere warnings such as an odd metadata tag.
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: MOST_PIXELS })
      .autoOrient()
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: rgbOf(data, info.channels) };
  } catch (cause) {
    throw decodingError(cause as Error, label);
  }
}

/** What libvips says when decoding fails, and what that means. */
const DECODE_FAILURES: readonly { readonly says: RegExp; readonly what: string; readonly remedy: string }[] = [
  {
    says: /exceeds pixel limit/,
    what: `it has more than ${MOST_PIXELS / 1e6} megapixels`,
    remedy: 'Make it smaller: models see a few hundred pixels a side',
  },
  { says: /unsupported image format/, what: 'it is not an image', remedy: `Readable are ${FORMATS}` },
  {
    says: /premature end|truncated|end of (stream|file)|unexpected end|corrupt|not enough data|read error/i,
    what: 'the file is truncated or damaged',
    remedy: 'Save or download it again',
  },
];

function decodingError(cause: Error, label: string): LensError {
  const known = DECODE_FAILURES.find(({ says }) => says.test(cause.message));
  const what = known?.what ?? cause.message.replace(/^Input (buffer|file) /, 'the file ').split('\n')[0]!;
  return new LensError(`cannot decode ${label}: ${what}`, known?.remedy ?? 'Save it again as PNG or JPEG', { cause });
}

function isPixels(source: unknown): source is ImageDataLike {
  return typeof source === 'object' && source !== null && 'width' in source && 'height' in source && 'data' in source;
}

function rgbPixels({ data, width, height }: ImageDataLike): RgbPixels {
  const size = `${width}×${height}`;
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new LensError(`the image has no pixels: its size is ${size}`, 'Give an image of at least 1×1 px');
  }
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new LensError('the pixels are not bytes', 'Give `data` as a Uint8ClampedArray or a Uint8Array');
  }
  const channels = data.length / (width * height);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new LensError(
      `the pixels do not fit the size: ${data.length} bytes for ${size} px`,
      'Give 4 bytes a pixel (RGBA), 3 (RGB) or 1 (grey)',
    );
  }
  return { width, height, data: rgbOf(data, channels) };
}

/** @param channels 1 or 2: grey (and alpha); 3 or 4: RGB (and alpha), composed over white */
function rgbOf(data: Uint8Array | Uint8ClampedArray, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const colours = channels < 3 ? 1 : 3;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const alpha = channels === colours ? 255 : data[i * channels + colours]!;
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (colours === 1 ? 0 : c)]!;
      rgb[i * 3 + c] = alpha === 255 ? value : Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return rgb;
}

function picture(pixels: RgbPixels, name: string | undefined): Picture {
  const hash = createHash('sha256').update(`${pixels.width}x${pixels.height}:`).update(pixels.data).digest('hex');
  return { ...pixels, hash, ...(name === undefined ? {} : { name }) };
}

function notAnImage(source: unknown): LensError {
  const kind = source === null ? 'null' : typeof source === 'object' ? source.constructor.name : typeof source;
  return new LensError(`the image is ${kind}`, 'Give a path, a URL, a Buffer or ImageData ({ data, width, height })');
}
