import type { Family } from '../family.ts';
import { clipView } from '../views.ts';
import { gridCells } from '../vision-plan.ts';

/** LLaVA-1.5 and its like: one view, made as CLIP's image processor makes it, and one run of image tokens. */
export const llava: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  vision({ files: { config, preprocessor }, imageToken }) {
    const view = clipView(config, preprocessor);
    const { name, input, height, width, rows, cols } = view;
    return (picture) => {
      const window = view.window(picture);
      return {
        key: '',
        stacks: [
          {
            ...{ name, graph: 'vision_encoder', input, height, width, rows, cols, layout: 'pictures' },
            views: [{ name, window }],
            render: (pixels) => view.render(pixels),
            normalise: (pixels) => view.normalise(pixels),
          },
        ],
        rows: rows * cols,
        grids: [{ name, rows, cols, cells: gridCells(rows, cols), window }],
        placeholder: imageToken.repeat(rows * cols),
      };
    };
  },
};
