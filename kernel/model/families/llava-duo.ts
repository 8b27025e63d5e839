import { z } from 'zod';
import { LensError } from '../../errors.ts';
import type { Family } from '../family.ts';
import { clipView } from '../views.ts';
import type { ViewGeometry } from '../views.ts';
import { gridCells } from '../vision-plan.ts';
import type { PictureSize, ViewStack } from '../vision-plan.ts';

const side = z.number().int().positive();

/** Fields that only this family has, of config.json and of preprocessor_config.json. */
const Config = z.object({ vision_config_high: z.object({ image_size: side, patch_size: side }) });
const Preprocessor = z.object({ size_high: z.object({ height: side, width: side }) });

/**
 * Two encoders of different kind and resolution, as Cambrian and Mini-Gemini have them: each sees the whole picture at its own size, and a
 * third graph makes one row of features of what both see at the same place.
 */
export const llavaDuo: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  encoders: () => ['vision_encoder_low', 'vision_encoder_high', 'vision_fusion'],
  vision({ files: { config, preprocessor }, imageToken }) {
    const high = Config.safeParse(config).data?.vision_config_high;
    const size = Preprocessor.safeParse(preprocessor).data?.size_high;
    if (high === undefined || size === undefined) {
      throw new LensError(
        'the size of the second encoder’s input is not known',
        'Add `vision_config_high` to config.json and `size_high` to preprocessor_config.json',
      );
    }
    const views = {
      low: clipView(config, preprocessor),
      high: clipView({ ...config, vision_config: high }, { ...preprocessor, size, crop_size: size }),
    };
    const { rows, cols } = views.low;
    if (views.high.rows !== rows || views.high.cols !== cols) {
      throw new LensError(
        `the encoders have ${rows} × ${cols} and ${views.high.rows} × ${views.high.cols} features, which cannot be fused one by one`,
        'config.json and preprocessor_config.json must be of the same model',
      );
    }
    return (picture) => ({
      key: '',
      stacks: Object.entries(views).map(([name, view]) => stackOf(name, view, picture)),
      fusion: { graph: 'vision_fusion', inputs: { low: 'low', high: 'high' } },
      rows: rows * cols,
      grids: [{ name: 'image', rows, cols, cells: gridCells(rows, cols), window: views.low.window(picture) }],
      placeholder: imageToken.repeat(rows * cols),
    });
  },
};

function stackOf(name: string, view: ViewGeometry, picture: PictureSize): ViewStack {
  const { input, height, width, rows, cols } = view;
  return {
    ...{ name, graph: `vision_encoder_${name}`, input, height, width, rows, cols, layout: 'pictures' },
    views: [{ name, window: view.window(picture) }],
    render: (pixels) => view.render(pixels),
    normalise: (pixels) => view.normalise(pixels),
  };
}
