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
