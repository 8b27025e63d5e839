import { bilinear } from './bilinear.ts';
import type { Mask, NormalisedImage } from './scorer.ts';

/** A term of the objective: its value and its gradient with respect to the mask's cells. */
export interface Term {
  readonly value: number;
  /** Of the mask's own shape. */
  readonly gradient: Float32Array;
}

/**
 * Bilateral total variation, ½(a + b + bil_a + bil_b): a and b are the mean squared differences of neighbouring cells along
 * columns and rows; bil_a and bil_b are the same on the mask up-sampled to the image, each pair of pixels weighted by how
 * alike they look, so that the mask may be steep only where the image has an edge. In normalised pixel units, with I_c the
 * image's channels, the paper's code (arXiv 2503.13891) weighs vertical neighbours by exp(−(mean_c ΔI_c)²/σ) and
 * horizontal ones by mean_c exp(−ΔI_c²/σ); both are kept as they are.
 *
 * @param image the global view, whose edges the mask may follow
 * @returns a function of the mask; the image's weights are computed once
 */
export function bilateralTotalVariation(
  image: NormalisedImage,
  rows: number,
  cols: number,
  sigma = 0.01,
): (mask: Mask) => Term {
  const { height, width } = image;
  const resampling = bilinear(rows, cols, height, width);
  const vertical = verticalWeights(image, sigma);
  const horizontal = horizontalWeights(image, sigma);
  return (mask) => {
    const pixels = resampling.up(mask.data);
    const onPixels = new Float32Array(pixels.length);
    const gradient = new Float32Array(mask.data.length);
    let sum = squaredDifferences(mask.data, rows, cols, gradient);
    sum += squaredDifferences(pixels, height, width, onPixels, vertical, horizontal);
    const carried = resampling.down(onPixels);
    for (let i = 0; i < gradient.length; i++) gradient[i]! += carried[i]!;
    return { value: sum, gradient };
  };
}

/**
 * ½(mean over vertical neighbours of w·Δ² + mean over horizontal neighbours of w·Δ²); adds its gradient to `gradient`.
 * Absent weights are 1. An axis with a single line has no neighbours and adds nothing.
 */
function squaredDifferences(
  grid: Float32Array,
  rows: number,
  cols: number,
  gradient: Float32Array,
  vertical?: Float32Array,
  horizontal?: Float32Array,
): number {
  let value = 0;
  const pair = (i: number, j: number, weight: number): void => {
    const difference = grid[j]! - grid[i]!;
    value += 0.5 * weight * difference * difference;
    gradient[j]! += weight * difference;
    gradient[i]! -= weight * difference;
  };
  const verticalCount = (rows - 1) * cols;
  for (let i = 0; i < verticalCount; i++) pair(i, i + cols, (vertical?.[i] ?? 1) / verticalCount);
  const horizontalCount = rows * (cols - 1);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols - 1; col++) {
      const i = row * cols + col;
      pair(i, i + 1, (horizontal?.[row * (cols - 1) + col] ?? 1) / horizontalCount);
    }
  }
  return value;
}

/** exp(−(mean_c ΔI_c)²/σ) for each pixel and the one below it: (height − 1) · width. */
function verticalWeights({ channels, height, width, data }: NormalisedImage, sigma: number): Float32Array {
  const weights = new Float32Array((height - 1) * width);
  for (let i = 0; i < weights.length; i++) {
    let difference = 0;
    for (let c = 0; c < channels; c++) {
      const at = c * height * width + i;
      difference += (data[at]! - data[at + width]!) / channels;
    }
    weights[i] = Math.exp(-(difference ** 2) / sigma);
  }
  return weights;
}

/** mean_c exp(−ΔI_c²/σ) for each pixel and the one to its right: height · (width − 1). */
function horizontalWeights({ channels, height, width, data }: NormalisedImage, sigma: number): Float32Array {
  const weights = new Float32Array(height * (width - 1));
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width - 1; col++) {
      let weight = 0;
      for (let c = 0; c < channels; c++) {
        const at = (c * height + row) * width + col;
        weight += Math.exp(-((data[at]! - data[at + 1]!) ** 2) / sigma) / channels;
      }
      weights[row * (width - 1) + col] = weight;
    }
  }
  return weights;
}
