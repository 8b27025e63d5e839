import assert from 'node:assert/strict';
import { chosenMethod } from '../../kernel/attribution/methods.ts';
import { rolledBack, rolledOut } from '../../kernel/attribution/rolled-out.ts';
import type { AttentionFlow, AttentionMatrix, TokenGrid } from '../../kernel/attribution/scorer.ts';
import { ToyScorer } from './toy-scorer.ts';

const matrix = (...rows: number[][]): AttentionMatrix => ({ size: rows.length, data: Float32Array.from(rows.flat()) });

/** Plain matrices, as the papers write them. */
const times = (a: number[][], b: number[][]) =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
const plus = (a: number[][], b: number[][]) => a.map((row, i) => row.map((value, j) => value + b[i]![j]!));
const scaled = (a: number[][], by: number) => a.map((row) => row.map((value) => value * by));
const identity = (n: number) =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_v, j) => Number(i === j)));

const FIRST = [
  [1, 0, 0],
  [0.5, 0.5, 0],
  [0.25, 0.25, 0.5],
];
const SECOND = [
  [1, 0, 0],
  [0.75, 0.25, 0],
  [0.5, 0.125, 0.375],
];
const LAYERS = [matrix(...FIRST), matrix(...SECOND)];

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(Math.abs(actual[i]! - expected[i]!) < 1e-6, `${i}: ${actual[i]} and ${expected[i]}`);
  }
};

describe('a rollout', () => {
  it('is a row of the product of ½A + ½I', () => {
    const half = (a: number[][]) => plus(scaled(a, 0.5), scaled(identity(3), 0.5));
    const whole = times(half(SECOND), half(FIRST));
    for (const row of [0, 1, 2]) {
      near(rolledOut(Float64Array.from(identity(3)[row]!), LAYERS, { keep: 0.5, take: 0.5 }), whole[row]!);
    }
  });

  it('is a row of R ← R + Ā·R', () => {
    let relevance = identity(3);
    for (const layer of [FIRST, SECOND]) relevance = plus(relevance, times(layer, relevance));
    near(rolledOut(Float64Array.of(0, 0, 1), LAYERS, { keep: 1, take: 1 }), relevance[2]!);
  });

  it('leaves a row as it is where there are no layers', () => {
    near(rolledOut(Float64Array.of(1, 2), [], { keep: 0.5, take: 0.5 }), [1, 2]);
  });
});

describe('back to the picture', () => {
  const grid = (
    rows: number,
    cols: number,
    cells: number[],
    window: TokenGrid['window'] = [0, 0, 1, 1],
  ): TokenGrid => ({
    ...{ rows, cols, cells, window },
  });
  // Text at 0 and 3, image tokens at 1 and 2; the answer's token is predicted at 3 and attends to image token 1.
  const decoder = [matrix([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0])];
  const flow = (rest: Pick<AttentionFlow, 'grids' | 'views'> & Partial<AttentionFlow>): AttentionFlow => ({
    ...{ decoder, predictions: [3], image: [1, 2], fusion: [] },
    ...rest,
  });
  const taken = { keep: 0, take: 1 };

  it('a feature cell shares what it has among the patches that it covers, wherever the encoder keeps them', () => {
    // Features 1 × 2 of patches 2 × 4, behind a class token and in the order of their merging, column by column.
    const cells = [1, 3, 5, 7, 2, 4, 6, 8];
    const map = rolledBack(
      flow({
        grids: [{ ...grid(1, 2, [0, 1]), views: [0] }],
        views: [{ layers: [], grid: grid(2, 4, [0, 1, 2, 3, 4, 5, 6, 7]) }],
      }),
      Float32Array.of(1),
      taken,
      4,
    );
    near(map.data.subarray(4, 8), [0, 0, 2, 2]);
    const identityLayer = matrix(...identity(9));
    const ordered = rolledBack(
      flow({
        grids: [{ ...grid(1, 2, [0, 1]), views: [0] }],
        views: [{ layers: [identityLayer], grid: grid(2, 4, cells) }],
      }),
      Float32Array.of(1),
      taken,
      4,
    );
    near(ordered.data, map.data);
  });

  it('goes through the encoder: what a patch took from another is that other’s', () => {
    const layer = matrix([1, 0], [1, 0]);
    const map = rolledBack(
      flow({ grids: [{ ...grid(1, 2, [0, 1]), views: [0] }], views: [{ layers: [layer], grid: grid(1, 2, [0, 1]) }] }),
      Float32Array.of(1),
      taken,
      2,
    );
    near(map.data, [2, 0, 2, 0]);
  });

  it('goes through the fusion of several encoders, and then to the patches of each', () => {
    const encoder = { layers: [], grid: grid(1, 2, [0, 1]) };
    const map = rolledBack(
      flow({
        // The second image token takes all from the first.
        fusion: [matrix([1, 0], [1, 0])],
        grids: [{ ...grid(1, 2, [0, 1]), views: [0, 1] }],
        views: [encoder, encoder],
      }),
      Float32Array.of(1),
      taken,
      2,
    );
    near(map.data, [1, 0, 1, 0]);
  });

  it('tiles get what their own features have, in their own place and as densely as it lies there', () => {
    const tile = (left: number) => ({ layers: [], grid: grid(1, 1, [0], [left, 0, 0.5, 1]) });
    const map = rolledBack(
      flow({ grids: [{ ...grid(1, 2, [0, 1]), views: [0, 1] }], views: [tile(0), tile(0.5)] }),
      Float32Array.of(1),
      taken,
      2,
    );
    near(map.data, [0, 2, 0, 2]);
  });
});

describe('T-MM, attention rollout and raw attention', () => {
  const left = { left: 0, top: 0, right: 0.5, bottom: 0.5 };
  const attribute = (name: string, weights: Float32Array) => {
    const { method, options } = chosenMethod({ name, maskSize: 12 });
    return method.attribute(new ToyScorer([left, null]), weights, options, { seed: 0 });
  };

  it('give the density of what the toy attends to', async () => {
    // 0.9 on a quarter of the image; rollout takes half of it in the decoder, and in an encoder of identities all stays.
    for (const [name, inside] of [
      ['raw-attention', 3.6],
      ['attention-rollout', 1.8],
      ['t-mm', 7.2],
    ] as const) {
      const { data } = await attribute(name, Float32Array.of(1, 0));
      near([data[0]!, data[11]!, data[143]!], [inside, 0, 0]);
    }
  });

  it('are linear in the weights, but for T-MM, whose gradient has them too', async () => {
    const one = await attribute('attention-rollout', Float32Array.of(1, 1));
    const two = await attribute('attention-rollout', Float32Array.of(2, 1));
    near(
      two.data,
      one.data.map((value) => 2 * value),
    );
  });
});
