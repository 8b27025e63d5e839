import sharp from 'sharp';
import { colourAt, heatOpacity } from '../../renderer/colour-maps.ts';
import type { Mask } from '../attribution/scorer.ts';
import type { Picture } from './picture.ts';

/** Longer side in px. */
const SIDE = 320;

const STYLE = { opacity: 0.7, threshold: 0 } as const;

/**
 * A map that is still in the making, over its image: small and quickly made, for people who wait.
 * @param map saliency of any range, over the whole image
 * @returns PNG, base64
 */
export async function partialPicture(
  { width, height, data }: Picture,
  { rows, cols, data: values }: Mask,
): Promise<string> {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  const heat = new Uint8Array(rows * cols * 4);
  values.forEach((value, cell) => {
    const t = range > 0 ? (value - least) / range : 0;
    const [, ...rgb] = /^#(..)(..)(..)$/.exec(colourAt('viridis', t))!;
    heat.set([...rgb.map((hex) => parseInt(hex, 16)), 255 * heatOpacity(t, STYLE)], cell * 4);
  });
  const shrink = Math.min(1, SIDE / Math.max(width, height));
  const size = { width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)) };
  const layer = await sharp(heat, { raw: { width: cols, height: rows, channels: 4 } })
    .resize({ ...size, fit: 'fill', kernel: 'cubic' })
    .png({ compressionLevel: 0 })
    .toBuffer();
  const blended = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ ...size, fit: 'fill' })
    .composite([{ input: layer }])
    .png({ palette: true, effort: 1 })
    .toBuffer();
  return blended.toString('base64');
}
