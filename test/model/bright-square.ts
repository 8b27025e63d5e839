/** The geometry check: a black picture with one bright square, whose effect must be found where the square is. */
import assert from 'node:assert/strict';
import type { ScoreRequest } from '../../kernel/attribution/scorer.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { Picture } from '../../kernel/image/picture.ts';
import type { LoadedModel } from '../../kernel/model/loaded-model.ts';
import type { ModelParts } from '../../kernel/model/open-model.ts';
import type { ViewWindow } from '../../kernel/model/views.ts';

type Size = Readonly<{ width: number; height: number }>;

/** Of pictures. */
export const SIZES: Readonly<Record<string, Size>> = {
  landscape: { width: 200, height: 120 },
  portrait: { width: 100, height: 170 },
  tiny: { width: 20, height: 15 },
};
/** Where the bright square lies, as shares of the picture. */
const PLACES: readonly ViewWindow[] = [
  { left: 0.65, top: 0.2, width: 0.2, height: 0.2 },
  { left: 0.1, top: 0.6, width: 0.2, height: 0.2 },
];

/** Black, with one bright square. */
function squareAt({ width, height }: Size, place: ViewWindow | undefined): Promise<Picture> {
  const data = new Uint8Array(width * height * 3);
  if (place !== undefined) {
    for (let y = Math.round(place.top * height); y < Math.round((place.top + place.height) * height); y++) {
      const from = Math.round(place.left * width);
      const to = Math.round((place.left + place.width) * width);
      data.fill(255, (y * width + from) * 3, (y * width + to) * 3);
    }
  }
  return decodeImage({ data, width, height });
}

/** Whether a cell of a grid over the picture touches the square. */
function touches(place: ViewWindow, cell: ViewWindow): boolean {
  return (
    cell.left < place.left + place.width &&
    cell.left + cell.width > place.left &&
    cell.top < place.top + place.height &&
    cell.top + cell.height > place.top
  );
}

function cellOf(index: number, rows: number, cols: number, window: ViewWindow): ViewWindow {
  const [width, height] = [window.width / cols, window.height / rows];
  return {
    left: window.left + (index % cols) * width,
    top: window.top + Math.floor(index / cols) * height,
    width,
    height,
  };
}

const WHOLE: ViewWindow = { left: 0, top: 0, width: 1, height: 1 };
const MASK_SIDE = 20;

function indexOfLargest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The largest gradient of the mask lies on the square. @param request what else the mask's request says */
export async function checkThroughMask(
  model: LoadedModel,
  size: Size,
  question: string,
  answer: string | readonly number[],
  request: Partial<ScoreRequest> = {},
): Promise<void> {
  for (const place of PLACES) {
    const scorer = await model.scorer(await squareAt(size, place), question, answer);
    const mask = { rows: MASK_SIDE, cols: MASK_SIDE, data: new Float32Array(MASK_SIDE ** 2).fill(1) };
    const weights = new Float32Array(scorer.tokenCount).fill(1);
    const [scored] = await scorer.gradient([{ mask, weights, baseline: 'black', ...request }]);
    const strength = scored!.gradient.data.map(Math.abs);
    const best = indexOfLargest(strength);
    assert.ok(strength[best]! > 0, 'the picture has an effect');
    const cell = cellOf(best, MASK_SIDE, MASK_SIDE, WHOLE);
    assert.ok(touches(place, cell), `at ${JSON.stringify(cell)}, not at ${JSON.stringify(place)}`);
  }
}

/** The feature row that changes most shows a part of the square. */
export async function checkFeatures(parts: ModelParts, size: Size): Promise<void> {
  const plan = parts.plan(size);
  const dark = await parts.vision.features(plan, await squareAt(size, undefined));
  const width = dark.length / plan.rows;
  for (const place of PLACES) {
    const bright = await parts.vision.features(plan, await squareAt(size, place));
    const change = Float64Array.from({ length: plan.rows }, (_, row) => {
      let sum = 0;
      for (let i = row * width; i < (row + 1) * width; i++) sum += (bright[i]! - dark[i]!) ** 2;
      return sum;
    });
    const cells = plan.grids.flatMap(({ rows, cols, cells, window }) =>
      cells.map((row, i) => ({ change: change[row]!, cell: cellOf(i, rows, cols, window) })),
    );
    assert.equal(new Set(plan.grids.flatMap(({ cells }) => cells)).size <= plan.rows, true);
    const best = cells.reduce((a, b) => (b.change > a.change ? b : a));
    assert.ok(touches(place, best.cell), `at ${JSON.stringify(best.cell)}, not at ${JSON.stringify(place)}`);
  }
}
