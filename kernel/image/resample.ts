/**
 * Separable interpolation, exactly as Pillow's `Image.resize` (src/libImaging/Resample.c): image processors of published
 * models were made with it, and a model sees the difference. One function gives the weights along an axis; pictures are
 * resized with them, and masks are up-sampled with the same weights as a matrix inside a graph.
 */

/** Interpolation kernels by name: radius in source px, and the kernel itself. */
const KERNELS = {
  box: { radius: 0.5, at: (x: number) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { radius: 1, at: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { radius: 1, at: hamming },
  bicubic: { radius: 2, at: bicubic },
  lanczos: { radius: 3, at: (x: number) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const;

export type Filter = keyof typeof KERNELS | 'nearest';

/** Pillow's numbers for the filters, as `resample` in preprocessor_config.json gives them. */
export const FILTER_BY_NUMBER: readonly Filter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

/** Which inputs each output sample is made of: `out` rows of at most `taps` weights, which sum to 1. */
export interface AxisWeights {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  /** The first input of each output. */
  readonly first: Int32Array;
  /** How many inputs each output has. */
  readonly count: Int32Array;
  /** outputs · taps. */
  readonly weights: Float64Array;
}

export interface AxisOptions {
  /** The part of the axis that is sampled, in input samples: [start, end). Default: all. */
  readonly window?: readonly [start: number, end: number];
  /**
   * Widens the kernel where the axis shrinks, as Pillow does. Default true. False gives PyTorch's
   * `interpolate(align_corners=False)`, with which the window may also reach beyond the axis: edge samples continue there.
   */
  readonly antialias?: boolean;
}

/**
 * Interpolation weights along one axis.
 * @param inputs number of input samples, at least 1
 * @param outputs number of output samples, at least 1
 */
export function axisWeights(inputs: number, outputs: number, filter: Filter, options: AxisOptions = {}): AxisWeights {
  const { window: [start, end] = [0, inputs], antialias = true } = options;
  const step = (end - start) / outputs;
  if (filter === 'nearest') return nearest(inputs, outputs, start, step);
  const kernel = KERNELS[filter];
  const widening = antialias ? Math.max(step, 1) : 1;
  const radius = kernel.radius * widening;
  const taps = Math.min(Math.ceil(radius) * 2 + 1, inputs);
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weights = new Float64Array(outputs * taps);
  for (let out = 0; out < outputs; out++) {
    let centre = start + (out + 0.5) * step;
    if (!antialias) centre = Math.min(Math.max(centre, 0.5), inputs - 0.5);
    const from = Math.max(0, Math.trunc(centre - radius + 0.5));
    const to = Math.min(inputs, Math.trunc(centre + radius + 0.5));
    let sum = 0;
    for (let i = from; i < to; i++) {
      const weight = kernel.at((i - centre + 0.5) / widening);
      weights[out * taps + i - from] = weight;
      sum += weight;
    }
    first[out] = from;
    count[out] = to - from;
    if (sum !== 0) for (let k = 0; k < to - from; k++) weights[out * taps + k]! /= sum;
  }
  return { inputs, outputs, taps, first, count, weights };
}

/** The same weights as a dense matrix [outputs, inputs], row-major. */
export function denseMatrix(axis: AxisWeights): Float32Array {
  const matrix = new Float32Array(axis.outputs * axis.inputs);
  for (let out = 0; out < axis.outputs; out++) {
    for (let k = 0; k < axis.count[out]!; k++) {
      matrix[out * axis.inputs + axis.first[out]! + k] = axis.weights[out * axis.taps + k]!;
    }
  }
  return matrix;
}

/** Interleaved 8-bit pixels. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** width · height · 3 bytes. */
  readonly data: Uint8Array;
}

/** Resizes RGB pixels; equal to Pillow 13's `Image.resize(size, filter)` in every byte. */
export function resizePixels(source: Pixels, width: number, height: number, filter: Filter): Pixels {
  const passes = [
    (pixels: Pixels) => (width === source.width ? pixels : alongRows(pixels, axisWeights(source.width, width, filter))),
    (pixels: Pixels) =>
      height === source.height ? pixels : alongColumns(pixels, axisWeights(source.height, height, filter)),
  ];
  // Bytes are rounded in between, so that the order shows.
  if (columnsFirst(source, width, height)) passes.reverse();
  return passes.reduce((pixels, pass) => pass(pixels), source);
}

/** Pillow goes along rows first; since version 13 along columns where that takes more than twice as many lines away. */
function columnsFirst(source: Pixels, width: number, height: number): boolean {
  return height < source.height && source.height - height > 2 * (source.width - width);
}

/** Pillow computes in fixed point with 32 − 8 − 2 bits. */
const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

function alongRows(source: Pixels, axis: AxisWeights): Pixels {
  const { height } = source;
  const width = axis.outputs;
  const weights = fixedPoint(axis.weights);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let r = HALF;
      let g = HALF;
      let b = HALF;
      let at = (y * source.width + axis.first[x]!) * 3;
      const end = x * axis.taps + axis.count[x]!;
      for (let k = x * axis.taps; k < end; k++, at += 3) {
        const weight = weights[k]!;
        r += weight * source.data[at]!;
        g += weight * source.data[at + 1]!;
        b += weight * source.data[at + 2]!;
      }
      const to = (y * width + x) * 3;
      data[to] = byte(r);
      data[to + 1] = byte(g);
      data[to + 2] = byte(b);
    }
  }
  return { width, height, data };
}

function alongColumns(source: Pixels, axis: AxisWeights): Pixels {
  const height = axis.outputs;
  const stride = source.width * 3;
  const weights = fixedPoint(axis.weights);
  const data = new Uint8Array(stride * height);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < axis.count[y]!; k++) {
      const weight = weights[y * axis.taps + k]!;
      const row = (axis.first[y]! + k) * stride;
      for (let x = 0; x < stride; x++) sums[x]! += weight * source.data[row + x]!;
    }
    for (let x = 0; x < stride; x++) data[y * stride + x] = byte(sums[x]!);
  }
  return { width: source.width, height, data };
}

function fixedPoint(weights: Float64Array): Int32Array {
  return Int32Array.from(weights, (weight) => Math.trunc(weight * 2 ** PRECISION + (weight < 0 ? -0.5 : 0.5)));
}

function byte(sum: number): number {
  return Math.min(255, Math.max(0, sum >> PRECISION));
}

function nearest(inputs: number, outputs: number, start: number, step: number): AxisWeights {
  const first = new Int32Array(outputs);
  // Summed as Pillow does (Geometry.c): at exact borders between two samples the rounding of the sum decides.
  let centre = start + step * 0.5;
  for (let out = 0; out < outputs; out++, centre += step) {
    first[out] = Math.min(inputs - 1, Math.max(0, Math.trunc(centre)));
  }
  const ones = { count: new Int32Array(outputs).fill(1), weights: new Float64Array(outputs).fill(1) };
  return { inputs, outputs, taps: 1, first, ...ones };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Keys' cubic convolution with a = −0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

function hamming(x: number): number {
  const d = Math.abs(x);
  if (d === 0) return 1;
  return d >= 1 ? 0 : sinc(d) * (0.54 + 0.46 * Math.cos(Math.PI * d));
}
