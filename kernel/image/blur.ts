import { resizePixels } from './resample.ts';
import type { Pixels } from './resample.ts';

/** Width in px from which a kernel applies, and the kernel's width: the paper's rule. */
const KERNEL_BY_WIDTH = [
  { from: 2000, kernel: 501 },
  { from: 800, kernel: 301 },
  { from: 500, kernel: 201 },
] as const;

/** The longer side, in px, up to which the blur is computed at the picture's own resolution. */
const EXACT_UP_TO = 512;

/**
 * The blur kernel's width in px for a picture of some width: odd. The paper's code uses 101 px for everything below 500 px,
 * which hardly changes a picture of 499 px and is wider than one of 96; there the kernel of 500 px is scaled to the width.
 */
export function blurKernelWidth(width: number): number {
  const rule = KERNEL_BY_WIDTH.find(({ from }) => width >= from);
  return rule?.kernel ?? odd((201 / 500) * width);
}

/**
 * The blurred picture that stands for 'nothing to see': a Gaussian of `blurKernelWidth(width)` px cut off at the kernel's
 * edge, sigma = kernel − 1, border reflected about the edge pixels (OpenCV's default, which the paper's code uses).
 *
 * The blur is that of the whole picture, so views cut from it fit together. It is computed at the picture's resolution up to
 * 512 px on the longer side; a larger picture is reduced to that, blurred with the kernel reduced alike, and enlarged again:
 * nothing as fine as a pixel is left either way.
 */
export function blurPixels(source: Pixels): Pixels {
  const { width, height } = source;
  const scale = Math.min(1, EXACT_UP_TO / Math.max(width, height));
  const kernel = blurKernelWidth(width);
  if (scale === 1) return gaussianBlur(source, kernel, kernel - 1);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const small = resizePixels(source, w, h, 'bilinear');
  return resizePixels(gaussianBlur(small, odd(kernel * scale), (kernel - 1) * scale), width, height, 'bilinear');
}

/** @param kernel odd, in px */
function gaussianBlur(source: Pixels, kernel: number, sigma: number): Pixels {
  if (kernel === 1) return source;
  const radius = (kernel - 1) / 2;
  const weights = Float64Array.from({ length: kernel }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const sum = weights.reduce((a, b) => a + b, 0);
  weights.forEach((weight, i) => (weights[i] = weight / sum));
  const planes = Float32Array.from(source.data);
  // Along an axis, samples lie `step` apart in lines that start at `line · lineStep + channel`.
  const { width, height } = source;
  const rows = convolve(planes, weights, { samples: width, step: 3, lines: height, lineStep: width * 3 });
  const both = convolve(rows, weights, { samples: height, step: width * 3, lines: width, lineStep: 3 });
  return { width, height, data: Uint8Array.from(both, (value) => Math.round(value)) };
}

interface Lines {
  readonly samples: number;
  readonly step: number;
  readonly lines: number;
  readonly lineStep: number;
}

function convolve(
  source: Float32Array,
  weights: Float64Array,
  { samples, step, lines, lineStep }: Lines,
): Float32Array {
  const radius = (weights.length - 1) / 2;
  const result = new Float32Array(source.length);
  const padded = new Float64Array(samples + 2 * radius);
  const reflected = Int32Array.from(padded, (_, i) => reflect(i - radius, samples));
  for (let line = 0; line < lines; line++) {
    for (let channel = 0; channel < 3; channel++) {
      const start = line * lineStep + channel;
      for (let i = 0; i < padded.length; i++) padded[i] = source[start + reflected[i]! * step]!;
      for (let i = 0; i < samples; i++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * padded[i + k]!;
        result[start + i * step] = sum;
      }
    }
  }
  return result;
}

/** Index within 0 … size−1 for one beyond, reflected about the edge samples (which do not repeat): d c b | a b c d | c b a. */
function reflect(index: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const within = ((index % period) + period) % period;
  return within < size ? within : period - within;
}

/** The nearest odd integer, at least 1. */
function odd(value: number): number {
  return Math.max(1, 2 * Math.round((value - 1) / 2) + 1);
}
