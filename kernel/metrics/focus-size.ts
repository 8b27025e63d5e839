import type { Mask } from '../attribution/scorer.ts';

/**
 * The smallest share of the image that holds half of a map's heat, 0 … ½: cells by falling heat until half of the sum is reached, of the
 * last one only the part that is needed. A map that is the same everywhere has ½, one with a single hot cell of n has ½/n.
 * @returns null for a map without any heat
 */
export function focusSize({ data }: Mask): number | null {
  const heat = data.reduce((sum, value) => sum + value, 0);
  if (!(heat > 0)) return null;
  let left = heat / 2;
  let cells = 0;
  for (const value of data.slice().sort((a, b) => b - a)) {
    if (value >= left) return (cells + left / value) / data.length;
    left -= value;
    cells++;
  }
  return 0.5;
}
