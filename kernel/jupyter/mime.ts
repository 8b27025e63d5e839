/** Any value to what a notebook shows for it. */
import util from 'node:util';
import { LensError } from '../errors.ts';
import type { DisplayData, MimeBundle } from './events.ts';
import { isTable, tableHtml, tableText } from './table.ts';

/** JavaScript kernels share this symbol: the method returns the value's own MIME bundle, possibly later. */
export const DISPLAY = Symbol.for('Jupyter.display');

interface Displayable {
  [DISPLAY](): MimeBundle | Promise<MimeBundle>;
}

interface CanvasLike {
  readonly width: number;
  readonly height: number;
  getContext(kind: string): unknown;
  toBuffer(mime: string): Buffer;
}

/** First bytes of the image formats that every front end shows. */
const SIGNATURES: readonly { readonly mime: string; readonly bytes: RegExp }[] = [
  { mime: 'image/png', bytes: /^\x89PNG\r\n/ },
  { mime: 'image/jpeg', bytes: /^\xff\xd8\xff/ },
  { mime: 'image/gif', bytes: /^GIF8[79]a/ },
  { mime: 'image/webp', bytes: /^RIFF.{4}WEBP/s },
];

/**
 * The MIME bundle of a value: its own where it has a `Symbol.for('Jupyter.display')` method, PNG for a canvas and for pixels,
 * the picture for a buffer that holds one, a figure for SVG, a table for an array of records, its own text where its class
 * has a `toString`, and Node's inspection text otherwise.
 */
export async function toDisplayData(value: unknown): Promise<DisplayData> {
  if (isDisplayable(value)) {
    const data = plainBundle(await value[DISPLAY]());
    return { data, metadata: await pictureMetadata(data) };
  }
  if (isTable(value)) return { data: { 'text/html': tableHtml(value), 'text/plain': tableText(value) }, metadata: {} };
  const picture = await pictureOf(value);
  const text = { 'text/plain': ownText(value) ?? inspect(value) };
  return { data: picture ? { [picture.mime]: picture.data, ...text } : text, metadata: {} };
}

/**
 * What notebooks keep beside a picture that comes with text: the text, for those who cannot see it, and of a dense one the width at
 * which it is meant to be seen, in CSS px. Front ends would show it at one of its pixels to one of theirs.
 */
async function pictureMetadata(data: MimeBundle): Promise<Record<string, unknown>> {
  const { 'image/png': png, 'text/plain': text } = data;
  if (typeof png !== 'string' || typeof text !== 'string') return {};
  const { default: sharp } = await import('sharp');
  const { width, density = 72 } = await sharp(Buffer.from(png, 'base64'))
    .metadata()
    .catch(() => ({ width: 0 }) as { width: number; density?: number });
  const shown = density > 72 && width > 0 ? { width: Math.round((width * 72) / density) } : {};
  return { 'image/png': { ...shown, alt: text } };
}

/** Types that hold JSON values; everything else holds text. */
const JSON_TYPE = /^application\/(.*\+)?json$/;

/**
 * A bundle as it can be sent: JSON types hold what JSON can say, others text.
 * @throws LensError for a JSON type whose value JSON cannot say
 */
function plainBundle(bundle: MimeBundle): MimeBundle {
  return Object.fromEntries(
    Object.entries(bundle).map(([mime, value]) => [
      mime,
      JSON_TYPE.test(mime) ? plainJson(mime, value) : String(value),
    ]),
  );
}

function plainJson(mime: string, value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch (error) {
    throw new LensError(
      `the value shown as ${mime} cannot be written as JSON: ${(error as Error).message.split('\n')[0]}`,
      'Give plain data without circles and BigInts.',
      { cause: error },
    );
  }
}

/** Text of a value as Node prints it, without colours. */
export function inspect(value: unknown): string {
  return util.inspect(value, { colors: false, maxStringLength: 10_000 });
}

function isDisplayable(value: unknown): value is Displayable {
  return isObject(value) && DISPLAY in value && typeof value[DISPLAY] === 'function';
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Text of an object whose class says how it reads. Errors, dates and the like Node shows better. */
function ownText(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || util.types.isProxy(value) || util.inspect.custom in value) {
    return undefined;
  }
  const { toString } = value;
  const isOwn = typeof toString === 'function' && !Function.prototype.toString.call(toString).includes('[native code]');
  if (!isOwn || value instanceof Error) return undefined;
  const text: unknown = toString.call(value);
  return typeof text === 'string' ? text : undefined;
}

async function pictureOf(value: unknown): Promise<{ mime: string; data: string } | undefined> {
  if (isCanvas(value)) return { mime: 'image/png', data: value.toBuffer('image/png').toString('base64') };
  const svg = svgOf(value);
  if (svg !== undefined) return { mime: 'image/svg+xml', data: svg };
  if (isPixels(value)) return { mime: 'image/png', data: await encodedPixels(value) };
  if (!(value instanceof Uint8Array)) return undefined;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const head = bytes.subarray(0, 16).toString('latin1');
  const format = SIGNATURES.find((signature) => signature.bytes.test(head));
  return format && { mime: format.mime, data: bytes.toString('base64') };
}

function isCanvas(value: unknown): value is CanvasLike {
  if (!isObject(value)) return false;
  const { width, height, getContext, toBuffer } = value as Partial<CanvasLike>;
  return (
    typeof width === 'number' &&
    typeof height === 'number' &&
    typeof getContext === 'function' &&
    typeof toBuffer === 'function'
  );
}

/** An SVG document: as a string, or an element that can write itself. */
function svgOf(value: unknown): string | undefined {
  const text =
    typeof value === 'string' ? value : isObject(value) && 'outerHTML' in value ? value.outerHTML : undefined;
  return typeof text === 'string' && SVG.test(text) ? text : undefined;
}

const SVG = /^\s*(<\?xml[^>]*\?>\s*)?(<!--[^]*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>][^]*<\/svg>\s*$/;

/** As `ImageData`: RGBA, one byte each. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

function isPixels(value: unknown): value is Pixels {
  if (!isObject(value)) return false;
  const { width, height, data } = value as Partial<Pixels>;
  const isBytes = data instanceof Uint8ClampedArray || data instanceof Uint8Array;
  return isBytes && typeof width === 'number' && typeof height === 'number' && data.length === width * height * 4;
}

async function encodedPixels({ width, height, data }: Pixels): Promise<string> {
  // Loaded when needed: a kernel starts without.
  const { default: sharp } = await import('sharp');
  const raw = { width, height, channels: 4 as const };
  const png = await sharp(Buffer.from(data.buffer, data.byteOffset, data.byteLength), { raw })
    .png()
    .toBuffer();
  return png.toString('base64');
}
