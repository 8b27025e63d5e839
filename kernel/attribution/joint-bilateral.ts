import { cellColours } from './cell-colours.ts';
import type { Mask, NormalisedImage } from './scorer.ts';

/** How far the Gaussian reaches, in standard deviations. */
const REACH = 3;

/**
 * A map smoothed within what looks alike, so that heat does not leak over an object's edge: cell j counts in cell i by
 * exp(−|i − j|²/2σ² − mean_c (I_i − I_j)_c²/2τ²), with I_i the mean colour of what cell i shows. The weights of the cells that there are add up to 1.
 * Source: joint bilateral filter, Petschnigg et al., SIGGRAPH 2004; Eisemann, Durand, SIGGRAPH 2004.
 * @param image the global view, in normalised pixel units
 * @param sigma σ in cells, above 0
 * @param tolerance τ in normalised pixel units, above 0
 */
export function jointBilateral(map: Mask, image: NormalisedImage, sigma: number, tolerance: number): Mask {
  const { rows, cols, data } = map;
  const colours = cellColours(image, rows, cols);
  const radius = Math.ceil(REACH * sigma);
  const unlikeness = (i: number, j: number): number =>
    colours.reduce((sum, channel) => sum + (channel[i]! - channel[j]!) ** 2, 0) / colours.length;
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const i = row * cols + col;
      let [sum, weights] = [0, 0];
      for (let v = Math.max(0, row - radius); v <= Math.min(rows - 1, row + radius); v++) {
        for (let h = Math.max(0, col - radius); h <= Math.min(cols - 1, col + radius); h++) {
          const j = v * cols + h;
          const distance = (v - row) ** 2 + (h - col) ** 2;
          const weight = Math.exp(-distance / (2 * sigma ** 2) - unlikeness(i, j) / (2 * tolerance ** 2));
          sum += weight * data[j]!;
          weights += weight;
        }
      }
      result[i] = sum / weights;
    }
  }
  return { rows, cols, data: result };
}
