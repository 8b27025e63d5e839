import { z } from 'zod';
import { LensError } from '../../errors.ts';
import { resizePixels } from '../../image/resample.ts';
import { FILTER_BY_NUMBER } from '../../image/resample.ts';
import type { Builder } from '../../onnx/index.ts';
import { int, ints } from '../../onnx/index.ts';
import type { PreprocessorConfig } from '../config.ts';
import type { Family } from '../family.ts';
import type { Positions, Prompt } from '../sequence.ts';
import { normalised } from '../views.ts';
import { gridCells } from '../vision-plan.ts';
import type { PictureSize, VisionPlan } from '../vision-plan.ts';

/** What the image processor of Qwen2-VL and its successors has in preprocessor_config.json beside the usual. */
const Patches = z.looseObject({
  patch_size: z.number().int().positive().default(14),
  temporal_patch_size: z.number().int().positive().default(2),
  merge_size: z.number().int().positive().default(2),
  min_pixels: z.number().int().positive().nullish(),
  max_pixels: z.number().int().positive().nullish(),
});

/** How a picture becomes patches. */
interface PatchRules {
  /** Of a patch, px. */
  readonly patch: number;
  /** Frames in a patch; a picture is repeated. */
  readonly frames: number;
  /** A feature is made of merge × merge patches. */
  readonly merge: number;
  readonly minPixels: number;
  readonly maxPixels: number;
}

function patchRules(preprocessor: PreprocessorConfig): PatchRules {
  const { patch_size, temporal_patch_size, merge_size, min_pixels, max_pixels } = Patches.parse(preprocessor);
  const edges = preprocessor.size !== undefined && 'shortestEdge' in preprocessor.size ? preprocessor.size : {};
  return {
    patch: patch_size,
    frames: temporal_patch_size,
    merge: merge_size,
    // Newer files give numbers of pixels the names of edges.
    minPixels: min_pixels ?? edges.shortestEdge ?? 56 * 56,
    maxPixels: max_pixels ?? edges.longestEdge ?? 28 * 28 * 1280,
  };
}

/** Beyond this the processor refuses a picture. */
const LONGEST_ASPECT = 200;

/**
 * The size that a picture is resized to: multiples of `factor`, of about its own shape, with a number of pixels between the
 * bounds. As `smart_resize` of transformers.
 * @throws LensError for a picture that is too narrow
 */
export function smartSize(
  { width, height }: PictureSize,
  factor: number,
  { minPixels, maxPixels }: Pick<PatchRules, 'minPixels' | 'maxPixels'>,
): PictureSize {
  if (Math.max(width, height) / Math.min(width, height) > LONGEST_ASPECT) {
    throw new LensError(
      `the picture is ${width}×${height} px, and one side is more than ${LONGEST_ASPECT} times the other`,
      'Cut the picture',
    );
  }
  const near = (side: number) => halfToEven(side / factor) * factor;
  const pixels = near(width) * near(height);
  if (pixels > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const down = (side: number) => Math.max(factor, Math.floor(side / shrink / factor) * factor);
    return { width: down(width), height: down(height) };
  }
  if (pixels < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    const up = (side: number) => Math.ceil((side * grow) / factor) * factor;
    return { width: up(width), height: up(height) };
  }
  return { width: near(width), height: near(height) };
}

/** Python's `round`. */
function halfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * Pixels [b, 1, 3, height, width] as rows of patches [b · patches, 3 · frames · patch²]: patches that are merged stand together, and
 * a picture's only frame is repeated.
 */
function patchRows(b: Builder, pixels: string, { patch, frames, merge }: PatchRules): string {
  const [batch, , channels, height, width] = b.dims(pixels) as [number, number, number, number, number];
  const [down, across] = [height / patch / merge, width / patch / merge];
  const apart = b.reshape(pixels, [batch, channels, down, merge, patch, across, merge, patch]);
  const ordered = b.op('Transpose', [apart], { perm: ints([0, 2, 5, 3, 6, 1, 4, 7]) });
  const patches = batch * down * across * merge * merge;
  const frame = b.reshape(ordered, [patches, channels, 1, patch * patch]);
  const repeated = b.op('Concat', new Array<string>(frames).fill(frame), { axis: int(2) });
  return b.reshape(repeated, [patches, channels * frames * patch * patch]);
}

/** Positions along time, rows and columns: text counts on all three together, a picture's features have their places in the grid. */
function gridPositions({ ids, imagePositions }: Prompt, { rows, cols }: { rows: number; cols: number }): Positions {
  const axes: [number[], number[], number[]] = [[], [], []];
  const order = new Map(imagePositions.map((place, i) => [place, i]));
  let next = 0;
  ids.forEach((_, place) => {
    const cell = order.get(place);
    const offset = cell === undefined ? [0, 0, 0] : [0, Math.floor(cell / cols), cell % cols];
    axes.forEach((axis, i) => axis.push(next + offset[i]!));
    if (cell === undefined) next += 1;
    else if (cell === imagePositions.length - 1) next += Math.max(rows, cols);
  });
  return { axes, next };
}

/** Qwen2-VL and Qwen2.5-VL: a picture of any size as rows of patches, and positions along three axes. */
export const qwenVl: Family = {
  imageToken: (config) => config.image_token_id ?? config.image_token_index,
  vision({ files: { preprocessor }, imageToken }) {
    const rules = patchRules(preprocessor);
    const filter = FILTER_BY_NUMBER[preprocessor.resample]!;
    const window = { left: 0, top: 0, width: 1, height: 1 };
    return (picture): VisionPlan => {
      const { width, height } = preprocessor.do_resize ? smartSize(picture, rules.patch * rules.merge, rules) : picture;
      const [down, across] = [height / rules.patch, width / rules.patch];
      const [rows, cols] = [down / rules.merge, across / rules.merge];
      const grid = { dtype: 'int64', dims: [1, 3], values: [1, down, across] } as const;
      return {
        key: `${rules.patch} ${rules.frames} ${rules.merge}`,
        stacks: [
          {
            ...{ name: 'image', graph: 'vision_encoder', input: 'pixel_values', height, width, rows, cols },
            views: [{ name: 'image', window }],
            layout: (b, pixels) => patchRows(b, pixels, rules),
            // Exports differ in the name.
            constants: { grid_thw: grid, image_grid_thw: grid },
            render: (pixels) => normalised(resizePixels(pixels, width, height, filter), preprocessor),
            normalise: (pixels) => normalised(pixels, preprocessor),
          },
        ],
        rows: rows * cols,
        grids: [{ name: 'image', rows, cols, cells: gridCells(rows, cols), window }],
        placeholder: imageToken.repeat(rows * cols),
        // Conversions are traced with one picture, and their attention is among all patches that they are given.
        batch: 1,
      };
    };
  },
  positions: (prompt, plan) => gridPositions(prompt, plan.grids[0]!),
};
