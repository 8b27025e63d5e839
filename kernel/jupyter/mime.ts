/** Any value to what a notebook shows for it. */
import util from 'node:util';
import { LensError } from '../errors.ts';
import type { DisplayData, MimeBundle } from './events.ts';

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
 * The MIME bundle of a value: its own where it has a `Symbol.for('Jupyter.display')` method, PNG for a canvas, the picture
 * for a buffer that holds one, and Node's inspection text otherwise.
 */
export async function toDisplayData(value: unknown): Promise<DisplayData> {
  if (isDisplayable(value)) return { data: plainBundle(await value[DISPLAY]()), metadata: {} };
  const picture = pictureOf(value);
  const text = { 'text/plain': inspect(value) };
  return { data: picture ? { [picture.mime]: picture.data, ...text } : text, metadata: {} };
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

function pictureOf(value: unknown): { mime: string; data: string } | undefined {
  if (isCanvas(value)) return { mime: 'image/png', data: value.toBuffer('image/png').toString('base64') };
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
