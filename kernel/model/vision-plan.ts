import type { Pixels } from '../image/resample.ts';
import type { Builder, DType } from '../onnx/index.ts';
import type { ViewWindow } from './views.ts';

/** In px. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** A tensor that does not depend on the pixels, for one picture: its first axis is the batch, along which it is repeated. */
export interface FixedTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** One for each element, or one for all. */
  readonly values: readonly number[] | number;
}

/** One tensor [3, height, width] that an encoder sees: the whole picture or a part of it. */
export interface View {
  /** For people: 'image', 'global', 'tile 1, 2'. */
  readonly name: string;
  /** What it shows. Where it reaches beyond the picture the view is padded. */
  readonly window: ViewWindow;
}

/**
 * How an encoder's input holds the views [b, n, 3, height, width]:
 * - 'pictures': [b·n, 3, height, width]
 * - 'tiles': as they are
 * - or a linear rearrangement (flattened patches), written with the builder; it may depend on nothing but the plan's `key`
 */
export type PixelLayout = 'pictures' | 'tiles' | ((b: Builder, pixels: string) => string);

/** The views that one run of one encoder sees. */
export interface ViewStack {
  /** Unique in the plan; the score graph names its inputs after it. */
  readonly name: string;
  /** Stem of the encoder's file, 'vision_encoder' in most models. */
  readonly graph: string;
  /** The encoder's input that takes the pixels. */
  readonly input: string;
  readonly views: readonly View[];
  /** Of each view, in px. */
  readonly height: number;
  readonly width: number;
  /** Token grid of each view as the encoder gives it. */
  readonly rows: number;
  readonly cols: number;
  readonly layout: PixelLayout;
  /** Further inputs (masks, grids); those that a file does not declare are left out. */
  readonly constants?: Readonly<Record<string, FixedTensor>>;
  /** All views of a picture of the plan's size: n · 3 · height · width values in normalised units, planar. */
  render(picture: Pixels): Float32Array;
  /** Turns pixels of a view's own size into normalised units, planar. */
  normalise(pixels: Pixels): Float32Array;
}

/** Where feature rows come from: a grid over a part of the picture. A row may be in several grids, or in none (line ends). */
export interface FeatureGrid {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** For each cell, row-major, which feature row it is. */
  readonly cells: readonly number[];
  /** The part of the picture that the grid covers. */
  readonly window: ViewWindow;
  /** Names of the views whose features the rows are made of. Default: those that show the same part of the picture. */
  readonly views?: readonly string[];
}

/** Everything that a model does with the pixels of pictures of one size. */
export interface VisionPlan {
  /** Tells apart the plans of one model: equal keys mean equal graphs. */
  readonly key: string;
  readonly stacks: readonly ViewStack[];
  /** A graph that makes one set of features of those of several encoders: its inputs, and the stacks that feed them. */
  readonly fusion?: { readonly graph: string; readonly inputs: Readonly<Record<string, string>> };
  /**
   * Makes the feature rows [b, rows, width] of the encoders' features, one [b, n · rows · cols, width] for each stack (of the
   * fusion's output, if there is one). Default: one after the other.
   */
  readonly assemble?: (b: Builder, features: readonly string[]) => string;
  /** Number of feature rows: as many image tokens are in `placeholder`. */
  readonly rows: number;
  readonly grids: readonly FeatureGrid[];
  /** What stands for the picture in the prompt: image tokens, and whatever is written between them. */
  readonly placeholder: string;
  /** How many masks one run may evaluate. Default: several where the views are small. */
  readonly batch?: number;
  /** For people: what the model is not shown of the picture though its family could be, and why. */
  readonly notice?: string;
}

/** The view that shows most of the picture, and where it is: the one whose edges regularisers follow. */
export function globalView({ stacks }: VisionPlan): { readonly stack: number; readonly view: number } {
  let best = { stack: 0, view: 0, shown: -1 };
  stacks.forEach(({ views }, stack) =>
    views.forEach(({ window }, view) => {
      const shown = share(window.left, window.width) * share(window.top, window.height);
      if (shown > best.shown + 1e-9) best = { stack, view, shown };
    }),
  );
  return best;
}

/** How much of [0, 1] an interval covers. */
function share(start: number, extent: number): number {
  return Math.max(0, Math.min(1, start + extent) - Math.max(0, start));
}

/** Row-major grid of rows that lie one after another from `start` on, `stride` to a line. */
export function gridCells(rows: number, cols: number, start = 0, stride = cols): number[] {
  return Array.from({ length: rows * cols }, (_, i) => start + Math.floor(i / cols) * stride + (i % cols));
}

/** A plan's numbers as text: what graphs that are made of it depend on, beside the files. */
export function planKey({ key, stacks, fusion, rows }: VisionPlan): string {
  const stack = ({ name, graph, input, views, height, width, rows: r, cols, layout, constants }: ViewStack) => [
    ...[name, graph, input, views.length, height, width, r, cols, constants],
    typeof layout === 'string' ? layout : 'own',
  ];
  return JSON.stringify([key, stacks.map(stack), fusion, rows]);
}

/** Views rendered one by one as one stack. */
export function joinedPlanes(views: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(views.reduce((sum, view) => sum + view.length, 0));
  let at = 0;
  for (const view of views) {
    whole.set(view, at);
    at += view.length;
  }
  return whole;
}
