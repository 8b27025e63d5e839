import { z } from 'zod';
import { LensError } from '../../errors.ts';
import { FILTER_BY_NUMBER, resizePixels } from '../../image/resample.ts';
import type { Pixels } from '../../image/resample.ts';
import type { Family } from '../family.ts';
import { cutOut, normalised } from '../views.ts';
import { gridCells, joinedPlanes } from '../vision-plan.ts';
import type { PictureSize, View } from '../vision-plan.ts';

const side = z.number().int().positive();

/** Fields of preprocessor_config.json that only this family has, with Idefics3ImageProcessor's defaults. */
const Preprocessor = z.object({
  do_image_splitting: z.boolean().default(true),
  max_image_size: z.object({ longest_edge: side }).default({ longest_edge: 364 }),
});

/** Pictures are never made larger than this. */
const MAX_SIDE = 4096;

/** Rows and columns of tiles, 0 × 0 where the picture is one view; in px, what is cut into tiles and what that is made of. */
interface Tiling {
  readonly rows: number;
  readonly cols: number;
  readonly resized: PictureSize;
  readonly cut: PictureSize;
}

/**
 * SmolVLM, SmolVLM2 and Idefics3: the picture is made as large as `size.longest_edge`, squeezed to a multiple of the encoder's
 * input and cut into tiles; the whole, small, comes last. The encoder joins neighbouring patches (pixel shuffle).
 */
export const smolvlm: Family = {
  imageToken: (config) => config.image_token_id ?? config.image_token_index,
  vision({ files: { config, preprocessor }, imageToken, inputs }) {
    const own = Preprocessor.parse(preprocessor);
    const tile = own.max_image_size.longest_edge;
    const patch = config.vision_config?.patch_size;
    const scale = z.object({ scale_factor: side.default(2) }).parse(config).scale_factor;
    if (patch === undefined) {
      throw new LensError('config.json does not say how large patches are', 'Add `vision_config.patch_size`');
    }
    const grid = Math.floor(tile / patch / scale);
    const filter = FILTER_BY_NUMBER[preprocessor.resample]!;
    const longest =
      preprocessor.size !== undefined && 'longestEdge' in preprocessor.size ? preprocessor.size.longestEdge : 4 * tile;
    const mask = inputs('vision_encoder').get('pixel_attention_mask');
    const tokens = imageToken.repeat(grid * grid);

    return (picture) => {
      const tiling = tilingOf(picture, preprocessor.do_resize ? longest : undefined, own.do_image_splitting, tile);
      const { rows, cols } = tiling;
      const views = viewsOf(tiling);
      const picturesOf = (pixels: Pixels): Pixels[] => {
        const { resized, cut } = tiling;
        const large = resizePixels(
          resizePixels(pixels, resized.width, resized.height, filter),
          cut.width,
          cut.height,
          filter,
        );
        const tiles = Array.from({ length: rows * cols }, (_, i) =>
          cutOut(large, { x: (i % cols) * tile, y: Math.floor(i / cols) * tile }, tile, tile),
        );
        return [...tiles, resizePixels(large, tile, tile, filter)];
      };
      return {
        key: `${rows}×${cols}`,
        stacks: [
          {
            ...{ name: 'views', graph: 'vision_encoder', input: 'pixel_values', layout: 'tiles', views },
            ...{ height: tile, width: tile, rows: grid, cols: grid },
            constants: {
              pixel_attention_mask: {
                dtype: mask?.type === 'int64' ? 'int64' : 'bool',
                dims: [1, views.length, tile, tile],
                values: 1,
              },
            },
            render: (pixels) => joinedPlanes(picturesOf(pixels).map((view) => normalised(view, preprocessor))),
            normalise: (pixels) => normalised(pixels, preprocessor),
          },
        ],
        rows: views.length * grid * grid,
        grids: views.map(({ name, window }, i) => ({
          ...{ name, window, rows: grid, cols: grid },
          cells: gridCells(grid, grid, i * grid * grid),
        })),
        placeholder: placeholder(rows, cols, tokens),
      };
    };
  },
};

/** As Idefics3ImageProcessor resizes: twice, both times cutting fractions off in its own way. */
function tilingOf(picture: PictureSize, longest: number | undefined, split: boolean, tile: number): Tiling {
  const resized = longest === undefined ? picture : bounded(scaledTo(picture, longest));
  if (!split) return { rows: 0, cols: 0, resized, cut: { width: tile, height: tile } };
  const up = (length: number) => Math.ceil(length / tile) * tile;
  const { width, height } = resized;
  const aspect = width / height;
  let cut: PictureSize;
  if (width >= height) {
    const across = up(width);
    cut = { width: across, height: up(Math.trunc(across / aspect)) };
  } else {
    const down = up(height);
    cut = { width: up(Math.trunc(down * aspect)), height: down };
  }
  const single = cut.width <= tile && cut.height <= tile;
  return { rows: single ? 0 : cut.height / tile, cols: single ? 0 : cut.width / tile, resized, cut };
}

function scaledTo({ width, height }: PictureSize, longest: number): PictureSize {
  const even = (length: number) => Math.max(1, length + (length % 2));
  const aspect = width / height;
  return width >= height
    ? { width: longest, height: even(Math.trunc(longest / aspect)) }
    : { width: even(Math.trunc(longest * aspect)), height: longest };
}

function bounded({ width, height }: PictureSize): PictureSize {
  const aspect = width / height;
  if (width >= height && width > MAX_SIDE)
    return { width: MAX_SIDE, height: Math.max(1, Math.trunc(MAX_SIDE / aspect)) };
  if (height > width && height > MAX_SIDE)
    return { width: Math.max(1, Math.trunc(MAX_SIDE * aspect)), height: MAX_SIDE };
  return { width, height };
}

function viewsOf({ rows, cols }: Tiling): View[] {
  const tiles = Array.from({ length: rows * cols }, (_, i) => {
    const [row, col] = [Math.floor(i / cols), i % cols];
    return {
      name: `tile ${row + 1}, ${col + 1}`,
      window: { left: col / cols, top: row / rows, width: 1 / cols, height: 1 / rows },
    };
  });
  return [...tiles, { name: 'global', window: { left: 0, top: 0, width: 1, height: 1 } }];
}

function placeholder(rows: number, cols: number, tokens: string): string {
  const around = '<fake_token_around_image>';
  const tiles = Array.from({ length: rows }, (_, row) => {
    const line = Array.from({ length: cols }, (__, col) => `${around}<row_${row + 1}_col_${col + 1}>${tokens}`);
    return `${line.join('')}\n`;
  });
  return `${tiles.join('')}${rows > 0 ? '\n' : ''}${around}<global-img>${tokens}${around}`;
}
