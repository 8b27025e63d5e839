import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bilinear } from '../../kernel/attribution/bilinear.ts';
import { bilateralTotalVariation } from '../../kernel/attribution/btv.ts';
import { regulariser } from '../../kernel/attribution/regulariser.ts';
import type { Mask, NormalisedImage } from '../../kernel/attribution/scorer.ts';

const values = (length: number, min: number, max: number) =>
  fc
    .array(fc.double({ min, max, noNaN: true }), { minLength: length, maxLength: length })
    .map((list) => Float32Array.from(list));

const grids = fc
  .record({
    rows: fc.integer({ min: 1, max: 5 }),
    cols: fc.integer({ min: 1, max: 5 }),
    channels: fc.integer({ min: 1, max: 3 }),
  })
  .chain(({ rows, cols, channels }) => {
    const [height, width] = [rows * 3 + 1, cols * 2 + 1];
    return fc.record({
      mask: values(rows * cols, 0, 1).map((data): Mask => ({ rows, cols, data })),
      image: values(channels * height * width, -0.2, 0.2).map((data): NormalisedImage => ({
        channels,
        height,
        width,
        data,
      })),
      along: values(rows * cols, -1, 1),
    });
  });

/** The slope of `of` along a direction, by central differences; exact for a quadratic up to rounding. */
function slope(of: (mask: Mask) => number, mask: Mask, along: Float32Array): number {
  const h = 0.125;
  const moved = (by: number): Mask => ({ ...mask, data: mask.data.map((m, i) => m + by * along[i]!) });
  return (of(moved(h)) - of(moved(-h))) / (2 * h);
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('bilinear resampling', () => {
  it('agrees with half-pixel centres worked out by hand', () => {
    // Four outputs over two cells lie at −¼, ¼, ¾ and 1¼ cells; the outer two are clamped.
    assert.deepEqual([...bilinear(1, 2, 1, 4).up(Float32Array.of(0, 1))], [0, 0.25, 0.75, 1]);
  });

  it('has its transpose as adjoint: ⟨up u, v⟩ = ⟨u, down v⟩', () => {
    fc.assert(
      fc.property(values(12, -1, 1), values(77, -1, 1), (u, v) => {
        const resampling = bilinear(3, 4, 7, 11);
        assert.ok(Math.abs(dot(resampling.up(u), v) - dot(u, resampling.down(v))) < 1e-5);
      }),
    );
  });
});

describe('bilateral total variation', () => {
  it('has the gradient that finite differences show', () => {
    fc.assert(
      fc.property(grids, ({ mask, image, along }) => {
        const variation = bilateralTotalVariation(image, mask.rows, mask.cols);
        const expected = slope((at) => variation(at).value, mask, along);
        assert.ok(Math.abs(dot(variation(mask).gradient, along) - expected) < 1e-5);
      }),
    );
  });

  it('is ½ of the four means of the paper, worked out by hand', () => {
    // Cells 0 and 1 side by side over an image of two equal pixels: a = 0 (no rows to differ), b = 1, bil_b = 1.
    const flat: NormalisedImage = { channels: 1, height: 1, width: 2, data: Float32Array.of(0, 0) };
    const mask: Mask = { rows: 1, cols: 2, data: Float32Array.of(0, 1) };
    assert.equal(bilateralTotalVariation(flat, 1, 2)(mask).value, 1);
    // With an edge between the pixels (0.1 apart; σ = 0.01), bil_b = exp(−1).
    const edge: NormalisedImage = { ...flat, data: Float32Array.of(0, 0.1) };
    assert.ok(Math.abs(bilateralTotalVariation(edge, 1, 2)(mask).value - (1 + Math.exp(-1)) / 2) < 1e-6);
  });

  it('weighs vertical pairs by the mean difference and horizontal pairs by the mean weight', () => {
    // Two channels that differ by ±0.1: their mean difference is 0 (weight 1), each alone has weight exp(−1).
    const data = Float32Array.of(0, 0.1, 0, -0.1);
    const apart: Mask = { rows: 2, cols: 1, data: Float32Array.of(0, 1) };
    assert.equal(bilateralTotalVariation({ channels: 2, height: 2, width: 1, data }, 2, 1)(apart).value, 1);
    const beside: Mask = { rows: 1, cols: 2, data: Float32Array.of(0, 1) };
    const value = bilateralTotalVariation({ channels: 2, height: 1, width: 2, data }, 1, 2)(beside).value;
    assert.ok(Math.abs(value - (1 + Math.exp(-1)) / 2) < 1e-6);
  });
});

describe('the regulariser', () => {
  it('has the gradient that finite differences show, inside the cube', () => {
    const inner = fc.tuple(grids, fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(inner, ([{ mask, image, along }, iteration]) => {
        const term = regulariser(image, mask.rows, mask.cols, { l1: 1, l2: 0.1, l3: 10, gamma: 1 });
        const inside: Mask = { ...mask, data: mask.data.map((m) => 0.15 + 0.7 * m) };
        const expected = slope((at) => term(at, iteration).value, inside, along);
        assert.ok(Math.abs(dot(term(inside, iteration).gradient, along) - expected) < 1e-4);
      }),
    );
  });

  it('fades its convexity as exp(−γ·i)', () => {
    const image: NormalisedImage = { channels: 1, height: 2, width: 2, data: new Float32Array(4) };
    const term = regulariser(image, 2, 2, { l1: 0, l2: 0.1, l3: 0, gamma: 1 });
    const half: Mask = { rows: 2, cols: 2, data: new Float32Array(4).fill(0.5) };
    assert.ok(Math.abs(term(half, 0).value - 0.1) < 1e-7);
    assert.ok(Math.abs(term(half, 3).value - 0.1 * Math.exp(-3)) < 1e-7);
  });
});
