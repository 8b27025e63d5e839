import { kmeans } from 'ml-kmeans';
import type { NormalisedImage } from './scorer.ts';

/** How much a difference of colour weighs against one of place: in normalised pixel units for the distance between two centres. */
const COLOUR_WEIGHT = 1;
const ITERATIONS = 10;

/**
 * Cuts an image into regions of alike colour: k-means over place and mean colour of the mask's cells, begun on a regular grid (SLIC at the
 * mask's resolution; Achanta et al., TPAMI 2012).
 * @param count about how many regions
 * @returns for each cell, row-major, the index of its region; indexes without gaps
 */
export function superpixels(image: NormalisedImage, rows: number, cols: number, count: number): Int32Array {
  const side = Math.max(1, Math.round(Math.sqrt(count)));
  const points = Array.from({ length: rows * cols }, (_, cell) => {
    const [row, col] = [Math.floor(cell / cols), cell % cols];
    // In units of the distance between two centres.
    const place = [((row + 0.5) / rows) * side, ((col + 0.5) / cols) * side];
    return [...place, ...meanColour(image, row / rows, col / cols, rows, cols).map((c) => c * COLOUR_WEIGHT)];
  });
  const centres = Array.from({ length: side * side }, (_, i) => {
    const row = Math.min(rows - 1, Math.floor(((Math.floor(i / side) + 0.5) / side) * rows));
    const col = Math.min(cols - 1, Math.floor((((i % side) + 0.5) / side) * cols));
    return points[row * cols + col]!;
  });
  const distinct = [...new Map(centres.map((centre) => [centre.join(), centre])).values()];
  const { clusters } = kmeans(points, distinct.length, { initialization: distinct, maxIterations: ITERATIONS });
  const used = [...new Set(clusters)].sort((a, b) => a - b);
  const index = new Map(used.map((cluster, i) => [cluster, i]));
  return Int32Array.from(clusters, (cluster) => index.get(cluster)!);
}

/** Mean of each channel over the cell whose top left corner lies at (y, x), in shares of the image. */
function meanColour(
  { channels, height, width, data }: NormalisedImage,
  y: number,
  x: number,
  rows: number,
  cols: number,
): number[] {
  const [top, left] = [Math.floor(y * height), Math.floor(x * width)];
  const bottom = Math.max(top + 1, Math.floor((y + 1 / rows) * height));
  const right = Math.max(left + 1, Math.floor((x + 1 / cols) * width));
  return Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = top; i < bottom; i++) {
      for (let j = left; j < right; j++) sum += data[(c * height + i) * width + j]!;
    }
    return sum / ((bottom - top) * (right - left));
  });
}
