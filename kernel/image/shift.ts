import { decodeImage } from './decode.ts';
import type { Picture } from './picture.ts';

/** A picture moved by whole pixels to the right and down; what comes in at the edges continues them. */
export async function shifted({ width, height, data }: Picture, right: number, down: number): Promise<Picture> {
  const inside = (at: number, size: number) => Math.min(Math.max(at, 0), size - 1);
  const moved = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 3 * (inside(y - down, height) * width + inside(x - right, width));
      moved.set(data.subarray(from, from + 3), 3 * (y * width + x));
    }
  }
  return decodeImage({ data: moved, width, height });
}
