import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { blurKernelWidth, blurPixels } from '../../kernel/image/blur.ts';
import { axisWeights, denseMatrix, resizePixels } from '../../kernel/image/resample.ts';
import type { Filter, Pixels } from '../../kernel/image/resample.ts';

interface Reference {
  resize: { from: [number, number]; to: [number, number]; filter: Filter; sha256: string; first: number[] }[];
  masks: { mask: [number, number]; to: [number, number]; values: number[] }[];
  blurs: { size: [number, number]; kernel: number; values: number[] }[];
}

const reference = JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8')) as Reference;

/** The picture of reference.py. */
function picture(width: number, height: number): Pixels {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    Number((BigInt(i) * BigInt(i) * 7n + BigInt(i) * 31n + BigInt(i >> 3) * 11n) % 256n),
  );
  return { width, height, data };
}

describe('resizePixels', () => {
  for (const { from, to, filter, sha256, first } of reference.resize) {
    it(`equals Pillow in every byte: ${filter}, ${from.join('×')} to ${to.join('×')}`, () => {
      const resized = resizePixels(picture(...from), ...to, filter);
      assert.deepEqual([...resized.data.slice(0, 6)], first);
      assert.equal(createHash('sha256').update(resized.data).digest('hex'), sha256);
    });
  }
});

describe('axisWeights without antialiasing', () => {
  for (const { mask, to, values } of reference.masks) {
    it(`equals PyTorch's bilinear interpolation: ${mask.join('×')} to ${to.join('×')}`, () => {
      const [rows, cols] = mask;
      const [height, width] = to;
      const down = denseMatrix(axisWeights(rows, height, 'bilinear', { antialias: false }));
      const across = denseMatrix(axisWeights(cols, width, 'bilinear', { antialias: false }));
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          let value = 0;
          for (let r = 0; r < rows; r++) {
            for (let c = 0; c < cols; c++) {
              const cell = (((r * cols + c) * 37) % 11) / 10;
              value += down[y * rows + r]! * across[x * cols + c]! * cell;
            }
          }
          assert.ok(Math.abs(value - values[y * width + x]!) < 2e-6, `${value} at row ${y}, column ${x}`);
        }
      }
    });
  }

  it('continues the edge beyond the axis', () => {
    const axis = axisWeights(4, 6, 'bilinear', { antialias: false, window: [-4, 8] });
    assert.deepEqual([...denseMatrix(axis).slice(0, 4)], [1, 0, 0, 0]);
    assert.deepEqual([...denseMatrix(axis).slice(20)], [0, 0, 0, 1]);
  });

  it('cuts a window as if the whole were interpolated and then cut', () => {
    const whole = denseMatrix(axisWeights(5, 20, 'bilinear', { antialias: false }));
    const cut = denseMatrix(axisWeights(5, 8, 'bilinear', { antialias: false, window: [1, 3] }));
    assert.deepEqual([...cut], [...whole.slice(4 * 5, 12 * 5)]);
  });

  it('has rows that sum to 1', () => {
    for (const filter of ['bilinear', 'bicubic', 'lanczos', 'box', 'hamming', 'nearest'] as const) {
      const matrix = denseMatrix(axisWeights(23, 7, filter));
      for (let row = 0; row < 7; row++) {
        const sum = matrix.slice(row * 23, (row + 1) * 23).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - 1) < 1e-6, `${filter}: ${sum}`);
      }
    }
  });
});

describe('blurPixels', () => {
  for (const { size, kernel, values } of reference.blurs) {
    it(`equals a convolution with reflected borders at ${size.join('×')} px`, () => {
      assert.equal(blurKernelWidth(size[0]), kernel);
      const blurred = blurPixels(picture(...size));
      let at = 0;
      for (let y = 0; y < size[1]; y += 7) {
        for (let x = 0; x < size[0]; x += 7) {
          for (let c = 0; c < 3; c++) {
            assert.ok(Math.abs(blurred.data[(y * size[0] + x) * 3 + c]! - values[at++]!) <= 0.5 + 1e-3);
          }
        }
      }
      assert.equal(at, values.length);
    });
  }

  it("takes the paper's kernel by width, and one in proportion below 500 px", () => {
    const widths = [3000, 2000, 1999, 800, 799, 500, 499, 250, 96, 1];
    assert.deepEqual(widths.map(blurKernelWidth), [501, 501, 301, 301, 201, 201, 201, 101, 39, 1]);
  });

  it('hardly differs where it is computed at a reduced resolution', () => {
    const [width, height] = [1024, 640];
    const data = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++)
        data.fill(x > 400 && y < 300 ? 220 : (x >> 2) % 90, (y * width + x) * 3, (y * width + x + 1) * 3);
    }
    const blurred = blurPixels({ width, height, data });
    // The same at full resolution along the middle row and the middle column, by the definition.
    const kernel = blurKernelWidth(width);
    const radius = (kernel - 1) / 2;
    const weights = Float64Array.from({ length: kernel }, (_, i) =>
      Math.exp(-((i - radius) ** 2) / (2 * (kernel - 1) ** 2)),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    const fold = (i: number, n: number) => Math.abs(n - 1 - Math.abs(n - 1 - Math.abs(i)));
    for (const [x, y] of [
      [0, 0],
      [400, 300],
      [700, 100],
      [1023, 639],
      [512, 320],
    ] as const) {
      let value = 0;
      for (let dy = -radius; dy <= radius; dy++) {
        for (let dx = -radius; dx <= radius; dx++) {
          const at = (fold(y + dy, height) * width + fold(x + dx, width)) * 3;
          value += (weights[dy + radius]! * weights[dx + radius]! * data[at]!) / sum ** 2;
        }
      }
      assert.ok(Math.abs(value - blurred.data[(y * width + x) * 3]!) < 1.5, `${value} at ${x}, ${y}`);
    }
  });
});
