import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { differentiate } from '../../../kernel/autodiff/index.ts';
import type { Graph } from '../../../kernel/onnx/index.ts';
import { addInput, bind, constantOf, loweringOf, prune, readGraph, sizeOf } from '../../../kernel/onnx/index.ts';
import { POCKET, distance, float32, inFolder, numbers, runGraph, wave } from '../run.ts';

/** Lets onnxruntime's own optimiser fuse what it can, and keeps the result. */
async function optimised(file: string, folder: string): Promise<string> {
  const result = join(folder, 'optimised.onnx');
  const session = await ort.InferenceSession.create(file, {
    graphOptimizationLevel: 'extended',
    optimizedModelFilePath: result,
    logSeverityLevel: 4,
  });
  await session.release();
  return result;
}

const LENGTH = 6;

/** Bound for one picture, or for a sequence with nothing cached. */
function bound(file: string, output: string): Graph {
  const graph = readGraph(file);
  graph.outputs = [output];
  const fixed = graph.inputs.flatMap(({ name, dtype, dims }) => {
    if (name.startsWith('past')) return [[name, constantOf(dtype, [1, dims[1] as number, 0, dims[3] as number], [])]];
    const line = [...Array(LENGTH).keys()];
    if (name === 'attention_mask')
      return [
        [
          name,
          constantOf(
            dtype,
            [1, LENGTH],
            line.map(() => 1),
          ),
        ],
      ];
    return name === 'position_ids' ? [[name, constantOf(dtype, [1, LENGTH], line)]] : [];
  });
  bind(graph, {
    dims: { batch_size: 1, sequence_length: LENGTH },
    constants: Object.fromEntries(fixed) as Record<string, ReturnType<typeof constantOf>>,
  });
  return graph;
}

/** The output and its gradient in a fixed direction. */
async function run(graph: Graph, input: string): Promise<readonly [number[], number[]]> {
  const [output] = graph.outputs as [string];
  const [from, to] = [graph.dims(input), graph.dims(output)];
  addInput(graph, 'direction', 'float32', to);
  const gradients = differentiate(graph, { of: [{ value: output, cotangent: 'direction' }], wrt: [input] });
  graph.outputs = [output, gradients[input]!];
  prune(graph);
  const feeds = { [input]: float32(from, wave(sizeOf(from))), direction: float32(to, wave(sizeOf(to)).reverse()) };
  const result = await runGraph(graph, feeds);
  return [numbers(result[output]), numbers(result[gradients[input]!])];
}

describe('lowering: what onnxruntime fuses in the embedded model', function () {
  this.timeout(60_000);

  for (const [name, input, output, fused] of [
    ['vision_encoder', 'pixel_values', 'image_features', ['BiasGelu', 'SkipLayerNormalization']],
    ['decoder_model_merged', 'inputs_embeds', 'logits', ['QuickGelu']],
  ] as const) {
    it(`${name}: the same gradient as without the fusion`, () =>
      inFolder(async (folder) => {
        const file = join(POCKET, `${name}.onnx`);
        const graph = bound(await optimised(file, folder), output);
        const present = new Set(graph.nodes.filter((node) => loweringOf(node) !== undefined).map(({ op }) => op));
        for (const op of fused) assert.ok(present.has(op), `${op} is among ${[...present].join(', ')}`);
        const [y, gradient] = await run(graph, input);
        const [expected, reference] = await run(bound(file, output), input);
        const largest = (values: readonly number[]) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        assert.ok(distance(y, expected) < 1e-4 * largest(expected), 'output');
        assert.ok(distance(gradient, reference) < 1e-4 * largest(reference), 'gradient');
      }));
  }
});
