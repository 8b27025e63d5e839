/**
 * The picture that stood in for the image: drawn again in the browser from the document's picture, by the rules of
 * kernel/image (the paper's blur, black, the mean colour, noise), so that the document need not carry it.
 */

/** RGBA pixels, row-major. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** Longer side in px at which a baseline is drawn: a blur has no finer detail, and noise is only an example of itself. */
export const BASELINE_SIDE = 128;

type Draw = (picture: Pixels, sourceWidth: number) => Pixels;

const BASELINES: Readonly<Record<string, Draw>> = {
  blur,
  black: (picture) => filled(picture, [0, 0, 0]),
  mean: (picture) => filled(picture, meanColour(picture)),
  noise,
};

/** What readers should know of a baseline as it is shown. */
export const BASELINE_NOTES: Readonly<Record<string, string>> = {
  blur: 'blurred',
  black: 'black',
  mean: 'its mean colour',
  noise: 'noise, of which this is an example',
};

/**
 * @param name as provenance and curves name it
 * @param picture the document's picture, BASELINE_SIDE at most
 * @param sourceWidth of the picture that was asked about, in px: the blur's width goes by it
 * @returns the baseline at the picture's size, or undefined for a name that is not known
 */
export function drawBaseline(name: string, picture: Pixels, sourceWidth: number): Pixels | undefined {
  return Object.hasOwn(BASELINES, name) ? BASELINES[name]!(picture, sourceWidth) : undefined;
}

/** The paper's kernel, in px of the source, by its width. Below 500 px it shrinks with the picture. */
function kernelWidth(sourceWidth: number): number {
  if (sourceWidth >= 2000) return 501;
  if (sourceWidth >= 800) return 301;
  return sourceWidth >= 500 ? 201 : (201 / 500) * sourceWidth;
}

/** A Gaussian of sigma = kernel − 1, cut off at the kernel's edge, borders reflected: nearly a mean over the kernel. */
function blur({ width, height, data }: Pixels, sourceWidth: number): Pixels {
  const scale = width / sourceWidth;
  const kernel = kernelWidth(sourceWidth);
  const radius = Math.max(0, Math.round((kernel * scale - 1) / 2));
  const sigma = Math.max((kernel - 1) * scale, 1e-6);
  const weights = Float32Array.from({ length: 2 * radius + 1 }, (_, at) => {
    return Math.exp(-((at - radius) ** 2) / (2 * sigma ** 2));
  });
  const total = weights.reduce((a, b) => a + b);
  const along = (source: Float32Array, length: number, step: number, lines: number, lineStep: number): Float32Array => {
    const result = new Float32Array(source.length);
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < 3; channel++) {
        const start = line * lineStep + channel;
        for (let at = 0; at < length; at++) {
          let sum = 0;
          for (let k = -radius; k <= radius; k++) {
            sum += weights[k + radius]! * source[start + reflected(at + k, length) * step]!;
          }
          result[start + at * step] = sum / total;
        }
      }
    }
    return result;
  };
  const rows = along(Float32Array.from(data), width, 4, height, width * 4);
  const both = along(rows, height, width * 4, width, 4);
  return { width, height, data: Uint8ClampedArray.from(both, (value, at) => (at % 4 === 3 ? 255 : value)) };
}

/** An index beyond the border, reflected about the edge pixels. */
function reflected(index: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const within = ((index % period) + period) % period;
  return within < size ? within : period - within;
}

function filled({ width, height }: Pixels, [r, g, b]: readonly [number, number, number]): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let at = 0; at < data.length; at += 4) data.set([r, g, b, 255], at);
  return { width, height, data };
}

function meanColour({ data }: Pixels): [number, number, number] {
  const sums: [number, number, number] = [0, 0, 0];
  for (let at = 0; at < data.length; at++) if (at % 4 < 3) sums[at % 4]! += data[at]!;
  return sums.map((sum) => (sum * 4) / data.length) as [number, number, number];
}

/** Uniform in every pixel and channel; the same each time (mulberry32). */
function noise({ width, height }: Pixels): Pixels {
  let state = 1;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 24;
  };
  const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, at) => (at % 4 === 3 ? 255 : uniform()));
  return { width, height, data };
}
