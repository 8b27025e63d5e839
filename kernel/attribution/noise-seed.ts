import type { Noise } from './scorer.ts';

/**
 * A seed for one piece of noise, from the caller's seed and what the noise is for (iteration, term, step …): the same
 * inputs give the same seed, and neighbouring inputs give unrelated ones (MurmurHash3's 32-bit finaliser over the parts).
 * @returns an unsigned 32-bit integer
 */
export function noiseSeed(seed: number, ...parts: readonly number[]): number {
  let hash = seed >>> 0;
  for (const part of parts) {
    hash = (hash ^ Math.imul(part + 1, 0x9e3779b1)) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash = (hash ^ (hash >>> 16)) >>> 0;
  }
  return hash;
}

/**
 * The noise on the pixels of an optimisation: another for each iteration, each term of the objective and each step of its integral.
 * @param sigma σ in normalised pixel units; 0 for none
 * @returns the noise of each step
 */
export const pixelNoise =
  (sigma: number, seed: number, iteration: number, term: number) =>
  (step: number): Noise | undefined =>
    sigma > 0 ? { sigma, seed: noiseSeed(seed, iteration, term, step) } : undefined;
