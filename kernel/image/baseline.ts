import type { BaselineName } from '../attribution/scorer.ts';
import { blurPixels } from './blur.ts';
import { seededRandom } from './random.ts';
import type { Pixels } from './resample.ts';

/**
 * What stands in for the picture where a mask is 0, as a picture of the same size. Views are made from it exactly as from
 * the picture, so that both meet at every pixel of every view. Noise is different: see `noisePixels`.
 */
export const BASELINE_PICTURES: Readonly<Record<Exclude<BaselineName, 'noise'>, (picture: Pixels) => Pixels>> = {
  blur: blurPixels,
  black: (picture) => filled(picture, [0, 0, 0]),
  mean: (picture) => filled(picture, meanColour(picture)),
};

/**
 * Uniform noise, independent in every pixel and channel, of a view's own size: noise of the picture's size would average
 * out to grey when a large picture is made small for the encoder.
 */
export function noisePixels(width: number, height: number, seed: number): Pixels {
  const { uniform } = seededRandom(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => Math.floor(uniform() * 256)) };
}

function filled({ width, height }: Pixels, colour: readonly [number, number, number]): Pixels {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!) };
}

function meanColour({ data }: Pixels): [number, number, number] {
  const sums: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) sums[i % 3]! += data[i]!;
  return sums.map((sum) => Math.round((sum * 3) / data.length)) as [number, number, number];
}
