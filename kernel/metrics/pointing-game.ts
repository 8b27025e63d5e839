import { bilinear } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';

/** Which pixels of a picture belong to something: height · width, row-major, anything but 0 is inside. */
export interface PixelMask {
  readonly height: number;
  readonly width: number;
  readonly data: ArrayLike<number>;
}

/** Values this close to the maximum, relative to it, are the maximum: what interpolation rounds. */
const TIE = 1e-6;

/**
 * Whether a map's maximum, up-sampled to the picture, lies inside: 1 or 0. Where several pixels share the maximum (a mask that
 * saturates), the share of them that lies inside: what a random choice among them would hit. A map that is flat points nowhere: 0.
 *
 * Source: Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018 (arXiv 1608.00507), without its tolerance of 15 pixels.
 */
export function pointingGame(map: Mask, { height, width, data }: PixelMask): number {
  const pixels = bilinear(map.rows, map.cols, height, width).up(map.data);
  const [least, most] = pixels.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  if (most - least <= TIE * Math.abs(most)) return 0;
  let [maxima, inside] = [0, 0];
  pixels.forEach((value, i) => {
    if (value < most - TIE * Math.abs(most)) return;
    maxima++;
    if (data[i]) inside++;
  });
  return inside / maxima;
}
