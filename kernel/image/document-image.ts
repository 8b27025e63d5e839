import sharp from 'sharp';
import type { OutputInfo } from 'sharp';
import type { DocumentImage } from '../document.ts';
import type { Picture } from './picture.ts';

/** Bytes below which an attempt is good enough; the last is taken whatever its size. */
const BUDGET = 150_000;
/** Longer side in px and WebP quality, in the order in which they are tried. */
const ATTEMPTS = [
  { side: 1024, quality: 85 },
  { side: 1024, quality: 70 },
  { side: 1024, quality: 50 },
  { side: 768, quality: 50 },
  { side: 512, quality: 50 },
] as const;

/** Encodes a picture for the explanation document: at most 1024 px on the longer side, WebP, small. */
export async function documentImage(picture: Picture): Promise<DocumentImage> {
  const { width, height, data } = picture;
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  let encoded: { data: Buffer; info: OutputInfo } | undefined;
  for (const { side, quality } of ATTEMPTS) {
    const resized = raw.clone().resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true });
    encoded = await resized.webp({ quality }).toBuffer({ resolveWithObject: true });
    if (encoded.data.length <= BUDGET) break;
  }
  return {
    mime: 'image/webp',
    data: encoded!.data.toString('base64'),
    width: encoded!.info.width,
    height: encoded!.info.height,
    sourceWidth: width,
    sourceHeight: height,
    ...(picture.name === undefined ? {} : { name: picture.name }),
  };
}
