import assert from 'node:assert/strict';
import { ModelConfig, PreprocessorConfig } from '../../kernel/model/config.ts';
import { clipView, maskMatrices } from '../../kernel/model/views.ts';
import type { ViewGeometry } from '../../kernel/model/views.ts';
import type { Pixels } from '../../kernel/image/resample.ts';

const config = ModelConfig.parse({ model_type: 'llava', vision_config: { image_size: 8, patch_size: 4 } });
const view = (preprocessor: object) => clipView(config, PreprocessorConfig.parse(preprocessor));

/** Black, with a white rectangle [x0, x1) × [y0, y1). */
function rectangle(width: number, height: number, [x0, x1, y0, y1]: readonly [number, number, number, number]): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = y0; y < y1; y++) data.fill(255, (y * width + x0) * 3, (y * width + x1) * 3);
  return { width, height, data };
}

function upsampled(
  geometry: ViewGeometry,
  picture: Pixels,
  mask: Float32Array,
  rows: number,
  cols: number,
): number[][] {
  const up = maskMatrices(geometry, geometry.window(picture), { rows, cols });
  return Array.from({ length: geometry.height }, (_, y) =>
    Array.from({ length: geometry.width }, (_, x) => {
      let sum = 0;
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < cols; c++) {
          sum += up.rows[y * rows + r]! * mask[r * cols + c]! * up.cols[c * geometry.width + x]!;
        }
      }
      return sum;
    }),
  );
}

describe('clipView', () => {
  it('rescales and normalises, channel by channel', () => {
    const geometry = view({ size: { height: 8, width: 8 }, image_mean: [0.5, 0.25, 0], image_std: [0.5, 0.25, 2] });
    const values = geometry.render({ width: 8, height: 8, data: new Uint8Array(192).fill(51) });
    const expected = [(0.2 - 0.5) / 0.5, (0.2 - 0.25) / 0.25, 0.2 / 2];
    for (let c = 0; c < 3; c++) assert.ok(Math.abs(values[c * 64 + 5]! - expected[c]!) < 1e-6);
    assert.equal(values.length, 3 * 64);
  });

  it('leaves out what the processor leaves out', () => {
    const geometry = view({ size: { height: 8, width: 8 }, do_rescale: false, do_normalize: false });
    const values = geometry.render({ width: 8, height: 8, data: Uint8Array.from({ length: 192 }, (_, i) => i) });
    assert.deepEqual([values[0], values[1], values[64], values[128]], [0, 3, 1, 2]);
  });

  it('shows the whole picture where it is squeezed into a square', () => {
    const geometry = view({ size: { height: 8, width: 8 } });
    assert.deepEqual(geometry.window({ width: 30, height: 20 }), { left: 0, top: 0, width: 1, height: 1 });
    assert.deepEqual([geometry.rows, geometry.cols], [2, 2]);
  });

  it('shows the centre where the shorter side is fitted and the rest cut off', () => {
    const geometry = view({ size: { shortest_edge: 8 }, do_center_crop: true, crop_size: 8 });
    assert.deepEqual(geometry.window({ width: 32, height: 16 }), { left: 0.25, top: 0, width: 0.5, height: 1 });
    const values = geometry.render(rectangle(32, 16, [16, 32, 0, 16]));
    // The picture's middle is the view's middle.
    const [left, right] = [values[3 * 8 + 1]!, values[3 * 8 + 6]!];
    assert.ok(left < -1 && right > 1, `${left} ${right}`);
  });

  it('fills up with black what lies beyond a picture that is smaller than the cut', () => {
    const geometry = view({ do_resize: false, do_center_crop: true, crop_size: 8, do_normalize: false });
    const values = geometry.render({ width: 4, height: 6, data: new Uint8Array(72).fill(255) });
    assert.equal(
      values.slice(0, 64).reduce((a, b) => a + b, 0),
      24,
    );
    assert.deepEqual(geometry.window({ width: 4, height: 6 }), { left: -0.5, top: -1 / 6, width: 2, height: 8 / 6 });
  });
});

describe('maskMatrices', () => {
  const plain = { resample: 2, do_normalize: false };
  const cases = {
    'a squeezed picture': view({ size: { height: 16, width: 16 }, ...plain }),
    'a centre cut': view({ size: { shortest_edge: 16 }, do_center_crop: true, crop_size: 16, ...plain }),
  };
  for (const [name, geometry] of Object.entries(cases)) {
    it(`brings a mask to where its part of the picture is: ${name}`, () => {
      // White where the mask is 1, in cells of 4 × 4 px: the view and the up-sampled mask agree on what is inside.
      const picture = rectangle(48, 32, [16, 28, 4, 20]);
      const mask = Float32Array.from({ length: 8 * 12 }, (_, i) => {
        const [row, col] = [Math.floor(i / 12), i % 12];
        return row >= 1 && row < 5 && col >= 4 && col < 7 ? 1 : 0;
      });
      const values = geometry.render(picture);
      const up = upsampled(geometry, picture, mask, 8, 12);
      let inside = 0;
      for (let y = 0; y < 16; y++) {
        for (let x = 0; x < 16; x++) {
          const pixel = values[y * 16 + x]!;
          if (pixel > 0.99) inside++;
          if (pixel > 0.99) assert.ok(up[y]![x]! > 0.6, `inside at ${y}, ${x}: ${up[y]![x]}`);
          if (pixel < 0.01) assert.ok(up[y]![x]! < 0.4, `outside at ${y}, ${x}: ${up[y]![x]}`);
        }
      }
      assert.ok(inside >= 2);
    });
  }

  it('tells rows from columns', () => {
    const geometry = view({ size: { height: 8, width: 8 } });
    const mask = Float32Array.from([1, 0, 0, 0, 0, 0]);
    const up = upsampled(geometry, { width: 8, height: 8, data: new Uint8Array(192) }, mask, 2, 3);
    assert.ok(Math.abs(up[0]![0]! - 1) < 1e-6);
    assert.ok(Math.abs(up[0]![7]!) < 1e-6 && Math.abs(up[7]![0]!) < 1e-6);
  });

  it('keeps a mask of ones', () => {
    const geometry = cases['a centre cut'];
    const up = upsampled(geometry, rectangle(50, 37, [0, 0, 0, 0]), new Float32Array(35).fill(1), 5, 7);
    for (const value of up.flat()) assert.ok(Math.abs(value - 1) < 1e-6);
  });
});
