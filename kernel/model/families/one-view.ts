import type { FamilySite } from '../family.ts';
import { clipView } from '../views.ts';
import { gridCells } from '../vision-plan.ts';
import type { PictureSize, VisionPlan } from '../vision-plan.ts';

/** What a family with one square view says of it, where it is not the usual. */
export interface OneViewOptions {
  /** Feature rows and columns, where features are pooled. Default: one feature for each patch. */
  readonly side?: number | undefined;
  /** Text around the image tokens. */
  readonly before?: string;
  readonly after?: string;
}

/** Plans of a family whose encoder sees the picture once, at one size, made as CLIP's image processor makes it. */
export function oneView(
  { files: { config, preprocessor }, imageToken }: FamilySite,
  { side, before = '', after = '' }: OneViewOptions = {},
): (picture: PictureSize) => VisionPlan {
  const view = clipView(config, preprocessor);
  const { name, input, height, width } = view;
  const [rows, cols] = side === undefined ? [view.rows, view.cols] : [side, side];
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
      placeholder: before + imageToken.repeat(rows * cols) + after,
    };
  };
}
