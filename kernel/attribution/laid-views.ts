import { bilinear } from './bilinear.ts';
import { filledMask } from './mask.ts';
import type { Mask, TokenGrid } from './scorer.ts';

/** A map over a part of the image: rows · cols values, row-major. */
export interface ViewMap extends Pick<TokenGrid, 'rows' | 'cols' | 'window'> {
  readonly map: ArrayLike<number>;
}

/**
 * One map over the image of maps over its parts: each is laid, bilinearly between token centres, into the cells whose centres lie in its window;
 * where several show the same place (the whole image and a tile of it) it is their mean, and 0 where none does.
 */
export function laidViews(views: readonly ViewMap[], maskSize: number): Mask {
  const sum = filledMask(maskSize, maskSize, 0);
  const seen = filledMask(maskSize, maskSize, 0);
  for (const view of views) lay(view, sum, seen);
  return { ...sum, data: sum.data.map((value, cell) => (seen.data[cell]! > 0 ? value / seen.data[cell]! : 0)) };
}

/**
 * What each token has by itself as what each part of the image has: a token of a tile covers less of the image than one of the whole image, so the
 * same amount lies there more densely.
 */
export function density(grid: TokenGrid, amount: (cell: number) => number): ViewMap {
  const { rows, cols, cells, window } = grid;
  const area = (window[2] * window[3]) / (rows * cols);
  return { rows, cols, window, map: cells.map((_, cell) => amount(cell) / area) };
}

function lay(
  { rows: height, cols: width, window: [left, top, across, down], map }: ViewMap,
  sum: Mask,
  seen: Mask,
): void {
  const { rows, cols } = sum;
  // Where the whole image lies as the view sees it, in shares of the view.
  const image = [-left / across, -top / down, (1 - left) / across, (1 - top) / down] as const;
  const onImage = bilinear(height, width, rows, cols, image).up(Float32Array.from(map));
  onImage.forEach((value, cell) => {
    const y = (Math.floor(cell / cols) + 0.5) / rows;
    const x = ((cell % cols) + 0.5) / cols;
    if (y < top || y > top + down || x < left || x > left + across) return;
    sum.data[cell]! += value;
    seen.data[cell]! += 1;
  });
}
