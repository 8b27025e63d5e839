import type { Mask } from './scorer.ts';

/** For each output position along one axis: the two cells that it lies between, and the share of the second. */
interface Axis {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly share: Float32Array;
}

/**
 * Half-pixel centres: output i lies at (i + ½)·cells/length − ½ in cells, clamped to the outermost centres; the convention of
 * `SaliencyMap`, of PyTorch's `align_corners=False` and of ONNX's `half_pixel`.
 */
function axis(cells: number, length: number): Axis {
  const from = new Int32Array(length);
  const to = new Int32Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.min(Math.max(((i + 0.5) * cells) / length - 0.5, 0), cells - 1);
    from[i] = Math.floor(at);
    to[i] = Math.min(from[i]! + 1, cells - 1);
    share[i] = at - from[i]!;
  }
  return { from, to, share };
}

/** Bilinear resampling of a rows × cols grid to height × width, and its adjoint. */
export interface Bilinear {
  /** @returns height · width values, row-major */
  up(grid: Float32Array): Float32Array;
  /** The transpose of `up`: carries a gradient on the pixels back to the cells. @returns rows · cols values */
  down(pixels: Float32Array): Float32Array;
}

export function bilinear(rows: number, cols: number, height: number, width: number): Bilinear {
  const y = axis(rows, height);
  const x = axis(cols, width);
  return {
    up(grid) {
      const out = new Float32Array(height * width);
      for (let i = 0; i < height; i++) {
        const [top, bottom, v] = [y.from[i]! * cols, y.to[i]! * cols, y.share[i]!];
        for (let j = 0; j < width; j++) {
          const [left, right, h] = [x.from[j]!, x.to[j]!, x.share[j]!];
          const above = grid[top + left]! * (1 - h) + grid[top + right]! * h;
          const below = grid[bottom + left]! * (1 - h) + grid[bottom + right]! * h;
          out[i * width + j] = above * (1 - v) + below * v;
        }
      }
      return out;
    },
    down(pixels) {
      const out = new Float32Array(rows * cols);
      for (let i = 0; i < height; i++) {
        const [top, bottom, v] = [y.from[i]! * cols, y.to[i]! * cols, y.share[i]!];
        for (let j = 0; j < width; j++) {
          const [left, right, h] = [x.from[j]!, x.to[j]!, x.share[j]!];
          const value = pixels[i * width + j]!;
          out[top + left]! += value * (1 - v) * (1 - h);
          out[top + right]! += value * (1 - v) * h;
          out[bottom + left]! += value * v * (1 - h);
          out[bottom + right]! += value * v * h;
        }
      }
      return out;
    },
  };
}

/** A mask resampled to another grid. */
export function resampled(mask: Mask, rows: number, cols: number): Mask {
  if (mask.rows === rows && mask.cols === cols) return mask;
  return { rows, cols, data: bilinear(mask.rows, mask.cols, rows, cols).up(mask.data) };
}
