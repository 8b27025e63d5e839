import { bilinear } from '../attribution/bilinear.ts';
import type { BaselineName, Mask } from '../attribution/scorer.ts';
import { BASELINE_PICTURES, noisePixels } from './baseline.ts';
import { decodeImage } from './decode.ts';
import type { Picture } from './picture.ts';

/**
 * A picture with part of it replaced: `picture·M + baseline·(1 − M)`, rounded to bytes, with the mask enlarged bilinearly. What a person
 * would paint over, so that the model can answer from pixels as from any other picture.
 * @param seed of the baseline 'noise'
 */
export async function blended(picture: Picture, baseline: BaselineName, mask: Mask, seed = 0): Promise<Picture> {
  const { width, height, data } = picture;
  const other = baseline === 'noise' ? noisePixels(width, height, seed) : BASELINE_PICTURES[baseline](picture);
  const shown = bilinear(mask.rows, mask.cols, height, width).up(mask.data);
  const mixed = Uint8Array.from(data, (value, i) => {
    const m = shown[Math.floor(i / 3)]!;
    return Math.round(value * m + other.data[i]! * (1 - m));
  });
  return decodeImage({ data: mixed, width, height });
}
