import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Pixels } from '../../kernel/image/resample.ts';
import { ModelConfig, PreprocessorConfig } from '../../kernel/model/config.ts';
import { FAMILIES } from '../../kernel/model/families.ts';
import type { FamilySite } from '../../kernel/model/family.ts';
import { maskMatrices } from '../../kernel/model/views.ts';
import { globalView } from '../../kernel/model/vision-plan.ts';
import type { PictureSize, VisionPlan } from '../../kernel/model/vision-plan.ts';

/** Written by training/reference/sizes.py. */
interface Sizes {
  /** width, height, rows, columns, views */
  smolvlm: (Record<string, unknown> & { cases: [number, number, number, number, number][] })[];
  /** width, height; height and width of the best grid; height and width of the picture in it; tokens */
  llava_onevision: {
    side: number;
    patch: number;
    vision_aspect_ratio: string;
    image_grid_pinpoints: [number, number][];
    cases: [number, number, number, number, number, number, number][];
  }[];
}

const SIZES = JSON.parse(readFileSync(new URL('../reference/sizes.json', import.meta.url), 'utf8')) as Sizes;

function planner(
  type: string,
  config: object,
  preprocessor: object,
  site: Partial<FamilySite> = {},
): (picture: PictureSize) => VisionPlan {
  const files = {
    config: ModelConfig.parse({ model_type: type, ...config }),
    preprocessor: PreprocessorConfig.parse(preprocessor),
  } as FamilySite['files'];
  return FAMILIES[type]!.vision({
    files,
    imageToken: '<image>',
    tokenOf: () => undefined,
    inputs: () => new Map(),
    constant: () => undefined,
    ...site,
  });
}

const count = (text: string, part: string) => text.split(part).length - 1;
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, ${expected}`);

/** Every feature row is in at most one cell; every view's features are there. */
function checkRows(plan: VisionPlan): void {
  const cells = plan.grids.flatMap((grid) => {
    assert.equal(grid.cells.length, grid.rows * grid.cols);
    return grid.cells;
  });
  assert.equal(new Set(cells).size, cells.length);
  assert.ok(cells.every((cell) => cell >= 0 && cell < plan.rows));
  assert.equal(count(plan.placeholder, '<image>'), plan.rows);
}

describe('plans of SmolVLM', () => {
  const smolvlm = (longest: number, side: number, split = true) =>
    planner(
      'smolvlm',
      { scale_factor: 4, vision_config: { patch_size: 16 } },
      {
        size: { longest_edge: longest },
        max_image_size: { longest_edge: side },
        do_image_splitting: split,
        resample: 1,
      },
    );

  for (const { cases, ...preprocessor } of SIZES.smolvlm) {
    const { longest_edge: longest, max_image_size: side, do_image_splitting: split } = preprocessor;
    it(`have transformers’ tiles: ${JSON.stringify(preprocessor)}`, () => {
      const plan = smolvlm(longest as number, side as number, split as boolean);
      for (const [width, height, rows, cols, views] of cases) {
        const made = plan({ width, height });
        const label = `${width}×${height}`;
        assert.equal(made.stacks[0]!.views.length, views, label);
        assert.equal(made.key, `${rows}×${cols}`, label);
        assert.equal(count(made.placeholder, '<row_'), rows * cols, label);
        checkRows(made);
      }
    });
  }

  it('write rows and columns as the processor does', () => {
    const { placeholder } = smolvlm(1024, 512)({ width: 200, height: 100 });
    const tokens = '<image>'.repeat(64);
    const around = '<fake_token_around_image>';
    assert.equal(
      placeholder,
      `${around}<row_1_col_1>${tokens}${around}<row_1_col_2>${tokens}\n\n${around}<global-img>${tokens}${around}`,
    );
  });

  it('cut the picture without gaps; the whole comes last', () => {
    const plan = smolvlm(2048, 512)({ width: 640, height: 480 });
    const { views } = plan.stacks[0]!;
    assert.deepEqual(views.at(-1)!.window, { left: 0, top: 0, width: 1, height: 1 });
    assert.equal(globalView(plan).view, views.length - 1);
    const area = views.slice(0, -1).reduce((sum, { window }) => sum + window.width * window.height, 0);
    near(area, 1);
    assert.deepEqual(views[5]!.window, { left: 1 / 4, top: 1 / 3, width: 1 / 4, height: 1 / 3 });
  });
});

describe('plans of LLaVA-OneVision', () => {
  const newline = new Float32Array(8);
  const onevision = (
    { side, patch, vision_aspect_ratio, image_grid_pinpoints }: Sizes['llava_onevision'][number],
    site = {},
  ) =>
    planner(
      'llava_onevision',
      { vision_aspect_ratio, vision_config: { patch_size: patch } },
      { size: { height: side, width: side }, image_grid_pinpoints },
      { constant: () => newline, ...site },
    );

  for (const reference of SIZES.llava_onevision) {
    const { side, cases, vision_aspect_ratio: aspect } = reference;
    it(`have transformers’ grid, place and number of tokens: ${aspect}`, () => {
      const plan = onevision(reference);
      for (const [width, height, down, across, fitHeight, fitWidth, tokens] of cases) {
        const made = plan({ width, height });
        const label = `${width}×${height}`;
        const tiles = made.stacks[0]!.views.slice(1);
        assert.equal(tiles.length, (down / side) * (across / side), label);
        near(tiles[0]!.window.width, side / fitWidth);
        near(tiles[0]!.window.height, side / fitHeight);
        near(tiles[0]!.window.left, -Math.floor((across - fitWidth) / 2) / fitWidth);
        near(tiles[0]!.window.top, -Math.floor((down - fitHeight) / 2) / fitHeight);
        assert.equal(made.rows, tokens, label);
        checkRows(made);
      }
    });

    it(`leave out what shows padding only, to a token: ${aspect}`, () => {
      for (const [width, height] of cases) {
        // Reckoned in whole tokens, of which a picture 20 times as long as wide has only one or two across.
        if (Math.max(width / height, height / width) > 3) continue;
        const { grids, stacks } = onevision(reference)({ width, height });
        const { window } = grids[1]!;
        const token = reference.patch / side;
        const { width: tileWidth, height: tileHeight } = stacks[0]!.views[1]!.window;
        assert.ok(window.left <= token * tileWidth && window.top <= token * tileHeight, `${width}×${height}`);
        assert.ok(window.left >= -2 * token * tileWidth && window.top >= -2 * token * tileHeight, `${width}×${height}`);
        assert.ok(window.left + window.width >= 1 - token * tileWidth, `${width}×${height}`);
        assert.ok(window.top + window.height >= 1 - token * tileHeight, `${width}×${height}`);
      }
    });
  }

  it('see the whole picture only where the files carry no line end', () => {
    const plan = onevision(SIZES.llava_onevision[0]!, { constant: () => undefined })({ width: 900, height: 300 });
    assert.equal(plan.rows, 27 * 27);
    assert.deepEqual(
      plan.stacks[0]!.views.map(({ window }) => window),
      [{ left: 0, top: 0, width: 1, height: 1 }],
    );
    assert.match(plan.notice!, /without tiles/);
    assert.equal(onevision(SIZES.llava_onevision[0]!)({ width: 900, height: 300 }).notice, undefined);
    checkRows(plan);
  });

  it('follow the encoder’s own form of pixels', () => {
    const inputs = (rank: number) => () =>
      new Map([['pixel_values', { type: 'float32' as const, shape: new Array<string>(rank).fill('n') }]]);
    const layout = (rank: number) =>
      onevision(SIZES.llava_onevision[0]!, { inputs: inputs(rank) })({ width: 9, height: 3 }).stacks[0]!.layout;
    assert.deepEqual([layout(4), layout(5)], ['pictures', 'tiles']);
  });

  it('leave padding as it is: a tile beyond the picture is black, whatever the mask', () => {
    const reference = {
      ...SIZES.llava_onevision[0]!,
      side: 28,
      image_grid_pinpoints: [[28, 84]] as [number, number][],
    };
    const stack = onevision(reference)({ width: 20, height: 20 }).stacks[0]!;
    const white: Pixels = { width: 20, height: 20, data: new Uint8Array(1200).fill(255) };
    const values = stack.render(white);
    const plane = 3 * 28 * 28;
    const view = (i: number) => values.subarray(i * plane, (i + 1) * plane);
    const lightest = (of: Float32Array) => of.reduce((a, b) => Math.max(a, b), -Infinity);
    assert.ok(lightest(view(1)) < 0 && lightest(view(3)) < 0, 'left and right of the picture is padding');
    assert.ok(lightest(view(2)) > 1);
    // The middle tile shows the picture's middle: the mask's columns reach it where they are.
    const { window } = stack.views[2]!;
    const up = maskMatrices(stack, window, { rows: 2, cols: 2 });
    assert.equal(up.cols[0], 1);
    assert.equal(up.cols[27], 0);
  });
});

describe('plans of Gemma 3', () => {
  const gemma3 = (preprocessor: object) =>
    planner(
      'gemma3',
      {
        mm_tokens_per_image: 16,
        boi_token_index: 1,
        eoi_token_index: 2,
        vision_config: { patch_size: 14, image_size: 112 },
      },
      { size: { height: 112, width: 112 }, ...preprocessor },
      { tokenOf: (id) => `<${id}>` },
    )({ width: 900, height: 300 });

  it('say that no crops are made where the file asks for them, and nothing where it does not', () => {
    assert.match(gemma3({ do_pan_and_scan: true }).notice!, /without the crops of “pan and scan”/);
    assert.equal(gemma3({ do_pan_and_scan: null }).notice, undefined);
    assert.equal(gemma3({}).notice, undefined);
    checkRows(gemma3({ do_pan_and_scan: true }));
  });
});
