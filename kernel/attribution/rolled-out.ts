import { density, laidViews } from './laid-views.ts';
import type { AttentionFlow, AttentionMatrix, Mask, TokenGrid } from './scorer.ts';

/** One step back through a layer: `keep` of what a token has stays with it, and `take` of it goes to where the layer's matrix leads. */
export interface Step {
  readonly keep: number;
  readonly take: number;
}

/**
 * A row vector times the product of all layers, Π_l (keep·I + take·A_l), from the last layer to the first: one row of the rollout, without making the
 * others.
 * @param row what each token has behind the last layer
 * @returns what each token has before the first
 */
export function rolledOut(row: Float64Array, layers: readonly AttentionMatrix[], { keep, take }: Step): Float64Array {
  let current = row;
  for (const { size, data } of layers.toReversed()) {
    const next = current.map((value) => keep * value);
    current.forEach((value, i) => {
      if (value === 0) return;
      for (let j = 0; j < size; j++) next[j]! += take * value * data[i * size + j]!;
    });
    current = next;
  }
  return current;
}

/**
 * From the places where the answer's tokens are predicted back through the decoder to the image tokens, from these to the encoders' tokens that show
 * the same places of the image (through the graph that fuses several encoders, if there is one), and back through the encoders to the patches.
 *
 * @param weights w_t of each answer token
 */
export function rolledBack(flow: AttentionFlow, weights: Float32Array, step: Step, maskSize: number): Mask {
  const row = new Float64Array(flow.decoder[0]!.size);
  flow.predictions.forEach((place, t) => (row[place]! += weights[t]!));
  const sequence = rolledOut(row, flow.decoder, step);
  const image = rolledOut(
    Float64Array.from(flow.image, (place) => sequence[place]!),
    flow.fusion,
    step,
  );
  const rows = flow.views.map(({ layers, grid }) => new Float64Array(layers[0]?.size ?? grid.rows * grid.cols));
  for (const grid of flow.grids) {
    handOn(
      grid,
      (cell) => image[grid.cells[cell]!]!,
      grid.views.map((view) => ({ grid: flow.views[view]!.grid, row: rows[view]! })),
    );
  }
  const views = flow.views.map(({ layers, grid }, view) => {
    const patches = rolledOut(rows[view]!, layers, step);
    return density(grid, (cell) => patches[grid.cells[cell]!]!);
  });
  return laidViews(views, maskSize);
}

/** Shares what each cell of a grid has among the tokens of several views, by how much of the cell each covers. */
function handOn(
  grid: TokenGrid,
  amount: (cell: number) => number,
  views: readonly { readonly grid: TokenGrid; readonly row: Float64Array }[],
): void {
  const covers = views.map(({ grid: tokens }) => ({ y: coverage(grid, tokens, 1), x: coverage(grid, tokens, 0) }));
  for (let cell = 0; cell < grid.cells.length; cell++) {
    const [r, c] = [Math.floor(cell / grid.cols), cell % grid.cols];
    const shares = views.flatMap(({ grid: tokens, row }, v) =>
      covers[v]!.y[r]!.flatMap(([i, height]) =>
        covers[v]!.x[c]!.map(([j, width]) => ({
          row,
          token: tokens.cells[i * tokens.cols + j]!,
          area: height * width,
        })),
      ),
    );
    const whole = shares.reduce((sum, { area }) => sum + area, 0);
    for (const { row, token, area } of shares) row[token]! += (amount(cell) * area) / whole;
  }
}

/** Along one axis (0: x, 1: y), for each line of cells the lines of tokens that it meets, and how much of the image they share. */
function coverage(cells: TokenGrid, tokens: TokenGrid, axis: 0 | 1): (readonly [line: number, extent: number])[][] {
  const lines = ({ rows, cols, window }: TokenGrid) => {
    const count = axis === 0 ? cols : rows;
    const size = window[2 + axis]! / count;
    return Array.from({ length: count }, (_, i) => [window[axis]! + i * size, window[axis]! + (i + 1) * size] as const);
  };
  const others = lines(tokens);
  return lines(cells).map(([from, to]) =>
    others.flatMap(([start, end], i) => {
      const extent = Math.min(to, end) - Math.max(from, start);
      return extent > 1e-9 ? [[i, extent] as const] : [];
    }),
  );
}
