import { LensError } from '../errors.ts';
import { axisWeights, denseMatrix, FILTER_BY_NUMBER, resizePixels } from '../image/resample.ts';
import type { Filter, Pixels } from '../image/resample.ts';
import type { ModelConfig, PreprocessorConfig } from './config.ts';

/** The part of the image that a view shows, as shares of the image: the affine map from the view's coordinates to the image's. */
export interface ViewWindow {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** How a view, one tensor that an encoder sees, is made of a picture. */
export interface ViewGeometry {
  readonly name: string;
  /** The encoder's input that takes it. */
  readonly input: string;
  /** In px. */
  readonly height: number;
  readonly width: number;
  /** Token grid after the projector. */
  readonly rows: number;
  readonly cols: number;
  /** The part of a picture of some size that the view shows. */
  window(picture: { readonly width: number; readonly height: number }): ViewWindow;
  /** The view's pixels: 3 · height · width values in normalised units, planar. */
  render(picture: Pixels): Float32Array;
  /** Turns pixels of the view's own size into normalised units, planar. */
  normalise(pixels: Pixels): Float32Array;
}

/** The one view of a CLIP-like processor: resize, cut out the centre, rescale, normalise; as transformers does. */
export function clipView(config: ModelConfig, preprocessor: PreprocessorConfig): ViewGeometry {
  const { size, crop_size: crop } = preprocessor;
  const side = config.vision_config?.image_size;
  const cut = preprocessor.do_center_crop ? crop : undefined;
  const target =
    cut ?? (size && 'height' in size ? size : side === undefined ? undefined : { height: side, width: side });
  const patch = config.vision_config?.patch_size;
  if (target === undefined || patch === undefined) {
    throw new LensError(
      'the size of the encoder’s input is not known',
      'Add `size` to preprocessor_config.json and `vision_config.patch_size` to config.json',
    );
  }
  const { height, width } = target;
  const filter: Filter = FILTER_BY_NUMBER[preprocessor.resample]!;
  const normalise = (pixels: Pixels) => normalised(pixels, preprocessor);

  const resizedSize = (picture: { readonly width: number; readonly height: number }) => {
    if (!preprocessor.do_resize || size === undefined) return { width: picture.width, height: picture.height };
    if ('height' in size) return size;
    const edge = size.shortestEdge ?? Math.min(height, width);
    // transformers cuts the longer side's fraction off.
    const scale = (longer: number, shorter: number) => Math.trunc((edge * longer) / shorter);
    const { width: w, height: h } = picture;
    return w <= h ? { width: edge, height: scale(h, w) } : { width: scale(w, h), height: edge };
  };
  const offset = (resized: { readonly width: number; readonly height: number }) => ({
    x: Math.floor((resized.width - width) / 2),
    y: Math.floor((resized.height - height) / 2),
  });

  return {
    name: 'image',
    input: 'pixel_values',
    height,
    width,
    rows: Math.floor(height / patch),
    cols: Math.floor(width / patch),
    window(picture) {
      const resized = resizedSize(picture);
      const { x, y } = offset(resized);
      return {
        left: x / resized.width,
        top: y / resized.height,
        width: width / resized.width,
        height: height / resized.height,
      };
    },
    render(picture) {
      const size = resizedSize(picture);
      const resized = resizePixels(picture, size.width, size.height, filter);
      return normalise(cutOut(resized, offset(resized), width, height));
    },
    normalise,
  };
}

/**
 * The bilinear up-sampling from a mask over the image to a view, as two matrices: view = rows · mask · cols. Cell centres
 * lie at (i + ½)/n of the image; beyond the outermost centres, and beyond the image, the edge cells continue.
 */
export interface MaskMatrices {
  /** [height of the view, rows of the mask] */
  readonly rows: Float32Array;
  /** [columns of the mask, width of the view] */
  readonly cols: Float32Array;
}

export function maskMatrices(
  view: { readonly height: number; readonly width: number },
  window: ViewWindow,
  mask: { readonly rows: number; readonly cols: number },
): MaskMatrices {
  const axis = (cells: number, pixels: number, from: number, extent: number) =>
    denseMatrix(
      axisWeights(cells, pixels, 'bilinear', { antialias: false, window: [from * cells, (from + extent) * cells] }),
    );
  return {
    rows: axis(mask.rows, view.height, window.top, window.height),
    cols: transposed(axis(mask.cols, view.width, window.left, window.width), mask.cols),
  };
}

/** @param columns of the matrix that is given */
function transposed(matrix: Float32Array, columns: number): Float32Array {
  const rows = matrix.length / columns;
  return Float32Array.from(matrix, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** A part of a picture. Where the cut reaches beyond the picture it is black, as in transformers. */
export function cutOut(source: Pixels, { x, y }: { x: number; y: number }, width: number, height: number): Pixels {
  if (x === 0 && y === 0 && source.width === width && source.height === height) return source;
  const data = new Uint8Array(width * height * 3);
  const [from, to] = [Math.max(0, x), Math.min(source.width, x + width)];
  for (let row = Math.max(0, y); row < Math.min(source.height, y + height); row++) {
    const line = source.data.subarray((row * source.width + from) * 3, (row * source.width + to) * 3);
    data.set(line, ((row - y) * width + from - x) * 3);
  }
  return { width, height, data };
}

/** Pixels as an encoder takes them: rescaled, less the mean, divided by the standard deviation; planar. */
export function normalised({ width, height, data }: Pixels, preprocessor: PreprocessorConfig): Float32Array {
  const factor = preprocessor.do_rescale ? preprocessor.rescale_factor : 1;
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  for (let c = 0; c < 3; c++) {
    const mean = preprocessor.do_normalize ? preprocessor.image_mean[c]! : 0;
    const std = preprocessor.do_normalize ? preprocessor.image_std[c]! : 1;
    for (let i = 0; i < plane; i++) values[c * plane + i] = (data[i * 3 + c]! * factor - mean) / std;
  }
  return values;
}
