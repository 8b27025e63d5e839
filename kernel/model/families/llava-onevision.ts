import { z } from 'zod';
import { LensError } from '../../errors.ts';
import { axisWeights, denseMatrix, FILTER_BY_NUMBER, resizePixels } from '../../image/resample.ts';
import type { Pixels } from '../../image/resample.ts';
import { int } from '../../onnx/index.ts';
import type { Builder } from '../../onnx/index.ts';
import type { Family } from '../family.ts';
import { cutOut, normalised } from '../views.ts';
import type { ViewWindow } from '../views.ts';
import { gridCells, joinedPlanes } from '../vision-plan.ts';
import type { FeatureGrid, PictureSize, PixelLayout, View } from '../vision-plan.ts';

const side = z.number().int().positive();

/** Fields of preprocessor_config.json that only this family has; heights before widths. */
const Preprocessor = z.object({ image_grid_pinpoints: z.array(z.tuple([side, side])).nonempty() });

/** Of config.json: 'anyres_max_9' for features of nine tiles at most. */
const Config = z.object({
  vision_aspect_ratio: z
    .string()
    .regex(/^anyres_max_\d+$/)
    .default('anyres_max_9'),
});

/** Features are made fewer where there are more than this many times too many, in each direction. */
const TOLERATED = 1.1;

/** Where a conversion cannot show tiles; docs/models.md tells more. */
const WITHOUT_TILES =
  'The model saw the whole picture at low resolution only, without tiles: this conversion lacks the weight that ends their lines ' +
  '(image_newline).';

const WHOLE: ViewWindow = { left: 0, top: 0, width: 1, height: 1 };

/** How a picture lies in a grid of tiles: in px of the grid. */
interface Fit {
  readonly rows: number;
  readonly cols: number;
  /** The picture's size there, and what is left of it and above it. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
}

/** What is kept of the tiles' features: in tokens. */
interface Kept {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Made fewer to this many. */
  readonly rows: number;
  readonly cols: number;
}

/**
 * LLaVA-OneVision: the whole picture squeezed into a square, then tiles of a grid into which the picture fits best (AnyRes). Of
 * the tiles' features those that show padding are left out, too many are interpolated to fewer, and each line ends with a row of
 * its own, `image_newline`.
 *
 * That row is a weight of the model. Conversions that carry it (as the encoder's second output of that name) get tiles; those
 * without it see the whole picture only, which is what they are used with elsewhere.
 */
export const llavaOnevision: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  vision({ files: { config, preprocessor }, imageToken, inputs, constant }) {
    const tile = tileSide(preprocessor.size);
    const patch = config.vision_config?.patch_size;
    if (tile === undefined || patch === undefined) {
      throw new LensError(
        'the size of the encoder’s input is not known',
        'Add `size` to preprocessor_config.json and `vision_config.patch_size` to config.json',
      );
    }
    const tokens = Math.floor(tile / patch);
    const filter = FILTER_BY_NUMBER[preprocessor.resample]!;
    const newline = constant('vision_encoder', 'image_newline');
    const grids = newline === undefined ? undefined : Preprocessor.parse(preprocessor).image_grid_pinpoints;
    const most = Number(Config.parse(config).vision_aspect_ratio.replace('anyres_max_', ''));
    const layout: PixelLayout = inputs('vision_encoder').get('pixel_values')?.shape.length === 5 ? 'tiles' : 'pictures';
    const stack = {
      ...{ name: 'views', graph: 'vision_encoder', input: 'pixel_values', layout, rows: tokens, cols: tokens },
      ...{ height: tile, width: tile },
      normalise: (pixels: Pixels) => normalised(pixels, preprocessor),
    };
    const whole: FeatureGrid = {
      ...{ name: 'image', rows: tokens, cols: tokens, window: WHOLE },
      cells: gridCells(tokens, tokens),
    };
    const base = (pixels: Pixels) => resizePixels(pixels, tile, tile, filter);

    return (picture) => {
      if (newline === undefined || grids === undefined) {
        const rows = tokens * tokens;
        return {
          key: 'whole',
          stacks: [
            { ...stack, views: [{ name: 'image', window: WHOLE }], render: (pixels) => stack.normalise(base(pixels)) },
          ],
          ...{ rows, grids: [whole], placeholder: imageToken.repeat(rows), notice: WITHOUT_TILES },
        };
      }
      const fit = fitOf(picture, grids, tile);
      const kept = keptOf(picture, fit, tokens, most);
      const count = tokens * tokens + kept.rows * (kept.cols + 1);
      const tiles: FeatureGrid = {
        ...{ name: 'tiles', rows: kept.rows, cols: kept.cols, window: keptWindow(fit, kept, tile / tokens) },
        cells: gridCells(kept.rows, kept.cols, tokens * tokens, kept.cols + 1),
        views: tileViews(fit, tile).map(({ name }) => name),
      };
      return {
        key: JSON.stringify([fit, kept]),
        stacks: [
          {
            ...stack,
            views: [{ name: 'image', window: WHOLE }, ...tileViews(fit, tile)],
            render: (pixels) =>
              joinedPlanes([base(pixels), ...tilesOf(pixels, fit, tile, filter)].map((view) => stack.normalise(view))),
          },
        ],
        assemble: (b, [features]) => assembled(b, features!, newline, tokens, fit, kept),
        ...{ rows: count, grids: [whole, tiles], placeholder: imageToken.repeat(count) },
      };
    };
  },
};

function tileSide(size: { height: number } | { shortestEdge?: number } | undefined): number | undefined {
  if (size === undefined) return undefined;
  return 'height' in size ? size.height : size.shortestEdge;
}

/** The grid that shows most of the picture's pixels, and of those the one that wastes least: transformers' select_best_resolution. */
function fitOf({ width, height }: PictureSize, grids: readonly (readonly [number, number])[], tile: number): Fit {
  let best = grids[0]!;
  let shown = 0;
  let wasted = Infinity;
  for (const grid of grids) {
    const [down, across] = grid;
    const scale = Math.min(across / width, down / height);
    const effective = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height);
    const waste = across * down - effective;
    if (effective > shown || (effective === shown && waste < wasted)) [best, shown, wasted] = [grid, effective, waste];
  }
  const [down, across] = best;
  const [scaleX, scaleY] = [across / width, down / height];
  const size =
    scaleX < scaleY
      ? { width: across, height: Math.min(Math.ceil(height * scaleX), down) }
      : { width: Math.min(Math.ceil(width * scaleY), across), height: down };
  return {
    ...{ rows: Math.floor(down / tile), cols: Math.floor(across / tile), ...size },
    left: Math.floor((across - size.width) / 2),
    top: Math.floor((down - size.height) / 2),
  };
}

/** transformers' unpad_image, which reckons in tokens and need not agree with the padding in px, and how many of them stay. */
function keptOf({ width, height }: PictureSize, { rows, cols }: Fit, tokens: number, most: number): Kept {
  const [down, across] = [rows * tokens, cols * tokens];
  const length = (exact: number) => Math.trunc(Number(exact.toFixed(7)));
  let [left, top] = [0, 0];
  if (width / height > across / down) top = Math.floor((down - length(height * (across / width))) / 2);
  else left = Math.floor((across - length(width * (down / height))) / 2);
  const kept = { left, top, width: across - 2 * left, height: down - 2 * top };
  const ratio = Math.sqrt((kept.width * kept.height) / (most * tokens ** 2));
  const fewer = (count: number) => (ratio > TOLERATED ? Math.floor(count / ratio) : count);
  return { ...kept, rows: fewer(kept.height), cols: fewer(kept.width) };
}

function tileViews({ rows, cols, width, height, left, top }: Fit, tile: number): View[] {
  return Array.from({ length: rows * cols }, (_, i) => {
    const [row, col] = [Math.floor(i / cols), i % cols];
    return {
      name: `tile ${row + 1}, ${col + 1}`,
      window: {
        left: (col * tile - left) / width,
        top: (row * tile - top) / height,
        width: tile / width,
        height: tile / height,
      },
    };
  });
}

function tilesOf(
  pixels: Pixels,
  { rows, cols, width, height, left, top }: Fit,
  tile: number,
  filter: Parameters<typeof resizePixels>[3],
): Pixels[] {
  const resized = resizePixels(pixels, width, height, filter);
  return Array.from({ length: rows * cols }, (_, i) =>
    cutOut(resized, { x: (i % cols) * tile - left, y: Math.floor(i / cols) * tile - top }, tile, tile),
  );
}

/** @param size of a token in px */
function keptWindow(fit: Fit, kept: Kept, size: number): ViewWindow {
  return {
    left: (kept.left * size - fit.left) / fit.width,
    top: (kept.top * size - fit.top) / fit.height,
    width: (kept.width * size) / fit.width,
    height: (kept.height * size) / fit.height,
  };
}

/** [b, (1 + tiles) · tokens², width] to [b, rows, width]: the whole picture, then the lines of the tiles together. */
function assembled(
  b: Builder,
  features: string,
  newline: Float32Array,
  tokens: number,
  { rows, cols }: Fit,
  kept: Kept,
): string {
  const [batch, , width] = b.dims(features) as [number, number, number];
  const square = tokens * tokens;
  const tiles = b.reshape(b.slice(features, 1, square, rows * cols * square), [
    ...[batch, rows, cols, tokens, tokens],
    width,
  ]);
  const grid = b.reshape(b.transpose(tiles, [0, 1, 3, 2, 4, 5]), [batch, rows * tokens, cols * tokens, width]);
  const shown = part(b, part(b, grid, 1, kept.top, kept.height), 2, kept.left, kept.width);
  const fewer = interpolated(b, shown, kept);
  const ends = b.expand(b.constant('float32', [1, 1, 1, width], newline, 'newline'), [batch, kept.rows, 1, width]);
  const lines = b.op('Concat', [fewer, ends], { axis: int(2) });
  const all = b.reshape(lines, [batch, kept.rows * (kept.cols + 1), width]);
  return b.op('Concat', [b.slice(features, 1, 0, square), all], { axis: int(1) });
}

function part(b: Builder, x: string, axis: number, start: number, count: number): string {
  return b.dims(x)[axis] === count ? x : b.slice(x, axis, start, count);
}

/** Bilinear, without smoothing: PyTorch's `interpolate`. [b, height, width, d] to [b, rows, cols, d]. */
function interpolated(b: Builder, grid: string, { width, height, rows, cols }: Kept): string {
  if (rows === height && cols === width) return grid;
  const [batch, , , d] = b.dims(grid) as [number, number, number, number];
  const matrix = (from: number, to: number) =>
    b.constant('float32', [to, from], denseMatrix(axisWeights(from, to, 'bilinear', { antialias: false })), 'fewer');
  const across = b.op('MatMul', [matrix(width, cols), grid]);
  const down = b.op('MatMul', [matrix(height, rows), b.reshape(across, [batch, height, cols * d])]);
  return b.reshape(down, [batch, rows, cols, d]);
}
