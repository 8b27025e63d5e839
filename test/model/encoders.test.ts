import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { differentiate } from '../../kernel/autodiff/index.ts';
import { seededRandom } from '../../kernel/image/random.ts';
import type { Pixels } from '../../kernel/image/resample.ts';
import { resizePixels } from '../../kernel/image/resample.ts';
import { float32, floats, Session } from '../../kernel/model/session.ts';
import { maskMatrices } from '../../kernel/model/views.ts';
import { appendVision, pixelDims } from '../../kernel/model/vision-graph.ts';
import { gridCells, planKey } from '../../kernel/model/vision-plan.ts';
import type { ViewStack, VisionPlan } from '../../kernel/model/vision-plan.ts';
import { VisionRunner } from '../../kernel/model/vision-runner.ts';
import { addInput, Builder, Graph, int, serialise } from '../../kernel/onnx/index.ts';

const WIDTH = 5;
const CELLS = 4;
const WHOLE = { left: 0, top: 0, width: 1, height: 1 };

/** Two encoders of different resolution, whose features of the same place a third graph makes one of, as Cambrian's and Mini-Gemini's do. */
describe('several encoders', function () {
  this.timeout(30_000);
  let folder: string;
  let files: Record<string, string>;
  let plan: VisionPlan;
  const picture: Pixels = {
    width: 12,
    height: 8,
    data: Uint8Array.from({ length: 288 }, (_, i) => (i * 37 + ((i * i) % 91)) % 256),
  };

  const random = (size: number, seed: number) => {
    const { normal } = seededRandom(seed);
    return Float32Array.from({ length: size }, () => normal() / 4);
  };

  async function write(name: string, make: (b: Builder) => string): Promise<void> {
    const graph = new Graph();
    graph.opsets.set('', 18);
    const b = new Builder(graph, name);
    graph.outputs = [b.op('Tanh', [make(b)], {}, { as: 'image_features' })];
    files[name] = path.join(folder, `${name}.onnx`);
    await writeFile(files[name], serialise(graph));
  }

  /** Square patches, each times a matrix. */
  const encoder = (side: number, width: number, seed: number) => (b: Builder) => {
    const patch = side / CELLS;
    const x = addInput(b.graph, 'pixel_values', 'float32', [1, 3, side, side]);
    const split = b.transpose(b.reshape(x, [1, 3, CELLS, patch, CELLS, patch]), [0, 2, 4, 1, 3, 5]);
    const inputs = 3 * patch * patch;
    const weights = b.constant('float32', [inputs, width], random(inputs * width, seed));
    return b.op('MatMul', [b.reshape(split, [1, CELLS * CELLS, inputs]), weights]);
  };

  const stackOf = (name: string, side: number): ViewStack => {
    const normalise = ({ width, height, data }: Pixels) => {
      const plane = width * height;
      return Float32Array.from(
        { length: 3 * plane },
        (_, i) => data[(i % plane) * 3 + Math.floor(i / plane)]! / 127.5 - 1,
      );
    };
    return {
      ...{ name, graph: `encoder_${name}`, input: 'pixel_values', layout: 'pictures', rows: CELLS, cols: CELLS },
      ...{ height: side, width: side, views: [{ name, window: WHOLE }], normalise },
      render: (pixels) => normalise(resizePixels(pixels, side, side, 'bicubic')),
    };
  };

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'lens-encoders-'));
    files = {};
    await write('encoder_low', encoder(8, 6, 1));
    await write('encoder_high', encoder(16, 3, 2));
    await write('fusion', (b) => {
      const low = addInput(b.graph, 'low', 'float32', [1, CELLS * CELLS, 6]);
      const high = addInput(b.graph, 'high', 'float32', [1, CELLS * CELLS, 3]);
      const weights = b.constant('float32', [9, WIDTH], random(9 * WIDTH, 3));
      return b.op('MatMul', [b.op('Concat', [low, high], { axis: int(2) }), weights]);
    });
    plan = {
      key: '',
      stacks: [stackOf('low', 8), stackOf('high', 16)],
      fusion: { graph: 'fusion', inputs: { low: 'low', high: 'high' } },
      rows: CELLS * CELLS,
      grids: [{ name: 'image', rows: CELLS, cols: CELLS, cells: gridCells(CELLS, CELLS), window: WHOLE }],
      placeholder: '<image>'.repeat(CELLS * CELLS),
    };
  });
  after(() => rm(folder, { recursive: true }));

  it('give the same features one by one and in one graph, and one mask reaches both', async () => {
    const sessions: Record<string, Session> = {};
    for (const [name, file] of Object.entries(files)) sessions[name] = await Session.open(file);
    const runner = new VisionRunner(sessions, files);
    const features = await runner.features(plan, picture);
    runner.release();
    for (const session of Object.values(sessions)) await session.release();
    assert.equal(features.length, plan.rows * WIDTH);

    const mask = { rows: 3, cols: 4 };
    const graph = new Graph();
    graph.opsets.set('', 18);
    const b = new Builder(graph, 'test');
    addInput(graph, 'mask', 'float32', [1, mask.rows, mask.cols]);
    const shape = { from: 'mask', batch: 1, maskRows: mask.rows, maskCols: mask.cols, plan, width: WIDTH } as const;
    const rows = appendVision(b, files, shape);
    const weights = addInput(graph, 'weights', 'float32', [1, plan.rows, WIDTH]);
    const { mask: gradient } = differentiate(graph, { of: [{ value: rows, cotangent: weights }], wrt: ['mask'] });
    graph.outputs = [rows, gradient!];
    const session = await Session.open(serialise(graph, folder), { dataFolder: folder });

    const direction = random(plan.rows * WIDTH, 4);
    const run = async (values: Float32Array) => {
      const feeds = { mask: float32(values, [1, 3, 4]), weights: float32(direction, [1, plan.rows, WIDTH]) };
      for (const stack of plan.stacks) {
        const up = maskMatrices(stack, WHOLE, mask);
        const size = 3 * stack.height * stack.width;
        Object.assign(feeds, {
          [`image/${stack.name}`]: float32(stack.render(picture), pixelDims(stack, 1)),
          [`baseline/${stack.name}`]: float32(new Float32Array(size), pixelDims(stack, 1)),
          [`noise/${stack.name}`]: float32(new Float32Array(size), pixelDims(stack, 1)),
          [`up-rows/${stack.name}`]: float32(up.rows, [stack.height, 3]),
          [`up-cols/${stack.name}`]: float32(up.cols, [4, stack.width]),
        });
      }
      const results = await session.run(feeds);
      const made = floats(results, rows);
      return {
        made,
        score: made.reduce((sum, value, i) => sum + value * direction[i]!, 0),
        slope: floats(results, gradient!),
      };
    };
    const whole = await run(new Float32Array(12).fill(1));
    whole.made.forEach((value, i) => assert.ok(Math.abs(value - features[i]!) < 1e-5, `feature ${i}`));

    const here = random(12, 5).map((value) => 0.5 + value);
    const { slope } = await run(here);
    const size = Math.hypot(...slope);
    for (let cell = 0; cell < 12; cell++) {
      const moved = async (step: number) =>
        (await run(here.map((value, i) => (i === cell ? value + step : value)))).score;
      const measured = ((await moved(1e-2)) - (await moved(-1e-2))) / 2e-2;
      assert.ok(Math.abs(measured - slope[cell]!) < 0.01 * size, `cell ${cell}: ${measured} and ${slope[cell]}`);
    }
    await session.release();
  });

  it('are told apart by their plans', () => {
    const { fusion, ...without } = plan;
    assert.ok(fusion !== undefined);
    assert.notEqual(planKey(plan), planKey(without));
  });
});
