import { resampled } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';

/** The cells with the highest values: a share of them, at least one; ties in reading order. */
export function topCells(map: Mask, share: number): Set<number> {
  const count = Math.max(1, Math.round(share * map.data.length));
  const order = Array.from(map.data.keys()).sort((a, b) => map.data[b]! - map.data[a]! || a - b);
  return new Set(order.slice(0, count));
}

/**
 * Intersection over union of two maps' top cells, 0 … 1. The second map is resampled to the first one's grid where they differ.
 * @param share which share of the cells counts as the top, for instance 0.2
 */
export function topShareIou(a: Mask, b: Mask, share: number): number {
  const [one, two] = [topCells(a, share), topCells(resampled(b, a.rows, a.cols), share)];
  const both = [...one].filter((cell) => two.has(cell)).length;
  return both / (one.size + two.size - both);
}
