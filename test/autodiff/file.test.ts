import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { differentiate } from '../../kernel/autodiff/file.ts';
import { LensError } from '../../kernel/errors.ts';
import { Builder, Graph, addInput, constantOf, int, readGraph } from '../../kernel/onnx/index.ts';
import { POCKET, distance, float32, inFolder, numbers, runModel, wave, writeModel } from '../onnx/run.ts';
import { findPython, runPython } from '../python.ts';
import { skipBecause } from '../skip.ts';

const VISION = join(POCKET, 'vision_encoder.onnx');

/** y = tanh(x·W), z = whole numbers, with a named batch and a W that is large enough to stay in its file. */
function model(folder: string, name = 'model.onnx'): string {
  const graph = new Graph();
  graph.opsets.set('', 18);
  addInput(graph, 'x', 'float32', [2, 64]);
  addInput(graph, 'ids', 'int64', [2, 3]);
  graph.setConstant('W', constantOf('float32', [64, 32], wave(64 * 32)));
  const b = new Builder(graph);
  graph.outputs = [
    b.op('Tanh', [b.op('MatMul', ['x', 'W'])], {}, { as: 'y' }),
    b.op('Neg', ['ids'], {}, { as: 'z' }),
    b.op('ReduceMean', ['y'], { keepdims: int(0) }, { as: 'mean' }),
  ];
  graph.inputs[0] = { name: 'x', dtype: 'float32', dims: ['batch', 64] };
  return writeModel(folder, name, graph);
}

const fails = (work: () => unknown, message: RegExp) =>
  assert.throws(work, (error) => error instanceof LensError && message.test(error.message));

/** Gradient along a direction against central differences of the original model, in onnxruntime. */
async function checkAlong(
  original: string,
  derived: string,
  { x, weights, of }: { x: number[]; weights: number[]; of: string },
): Promise<void> {
  const shape = [2, 64];
  const result = await runModel(derived, { x: float32(shape, x), [`${of}.cotangent`]: float32([2, 32], weights) });
  const gradient = numbers(result['x.gradient']);
  const direction = wave(x.length).map((value) => value / Math.sqrt(x.length));
  const at = async (step: number): Promise<number> => {
    const moved = x.map((value, i) => value + step * direction[i]!);
    const ids = new ort.Tensor(
      'int64',
      BigInt64Array.from({ length: 6 }, () => 1n),
      [2, 3],
    );
    const out = numbers((await runModel(original, { x: float32(shape, moved), ids }))[of]);
    return out.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  };
  const slope = ((await at(1e-2)) - (await at(-1e-2))) / 2e-2;
  const along = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
  assert.ok(
    Math.abs(slope - along) < 1e-2 * Math.max(1, Math.abs(slope)),
    `${String(along)} instead of ${String(slope)}`,
  );
}

describe('differentiating a file', () => {
  const x = wave(128).map((value) => value / 10);
  const weights = wave(64);

  it('writes a file beside the model that refers to its weights, and computes the gradient', () =>
    inFolder(async (folder) => {
      const path = model(folder);
      const derived = differentiate({ model: path, of: 'y', wrt: 'x', dims: { batch: 2 } });
      assert.deepEqual(
        derived.inputs.map(({ name }) => name),
        ['x', 'y.cotangent'],
      );
      assert.deepEqual(derived.graph.outputs, ['y', 'x.gradient']);
      assert.deepEqual(derived.gradients, { x: 'x.gradient' });
      const output = join(folder, 'gradient.onnx');
      assert.deepEqual(derived.write(output), [output]);
      assert.ok(statSync(output).size < 4000);
      assert.deepEqual(readdirSync(folder).sort(), ['gradient.onnx', 'model.onnx']);
      await checkAlong(path, output, { x, weights, of: 'y' });
    }));

  it('copies the weights on request, into a file that stands alone', () =>
    inFolder(async (folder) => {
      const path = model(folder);
      const elsewhere = join(folder, 'elsewhere');
      mkdirSync(elsewhere);
      const output = join(elsewhere, 'gradient.onnx');
      differentiate({ model: path, of: 'y', wrt: 'x', shapes: { x: [2, 64] } }).write(output, { weights: 'copy' });
      assert.deepEqual(readdirSync(elsewhere), ['gradient.onnx']);
      assert.ok(statSync(output).size > 64 * 32 * 4);
      await checkAlong(path, output, { x, weights, of: 'y' });
    }));

  it('in another folder, keeps weights readable by a hard link that takes no space', () =>
    inFolder(async (folder) => {
      const path = model(folder);
      const elsewhere = join(folder, 'elsewhere');
      mkdirSync(elsewhere);
      const output = join(elsewhere, 'gradient.onnx');
      const files = differentiate({ model: path, of: 'y', wrt: 'x', dims: { batch: 2 } }).write(output);
      assert.equal(files.length, 2);
      assert.equal(statSync(files[1]!).ino, statSync(path).ino);
      await checkAlong(path, output, { x, weights, of: 'y' });
    }));

  it('of one number needs no weights; elements can also be summed', () =>
    inFolder(async (folder) => {
      const path = model(folder);
      const feeds = { x: float32([2, 64], x) };
      const run = async (derived: ReturnType<typeof differentiate>) => {
        assert.deepEqual(
          derived.inputs.map(({ name }) => name),
          ['x'],
        );
        assert.deepEqual(derived.cotangents, {});
        return numbers((await runModel(derived.bytes(), feeds, derived.folder))['x.gradient']);
      };
      const mean = await run(differentiate({ model: path, of: 'mean', wrt: 'x', dims: { batch: 2 } }));
      const sum = await run(differentiate({ model: path, of: 'y', wrt: 'x', dims: { batch: 2 }, weigh: 'ones' }));
      assert.ok(
        distance(
          mean.map((value) => value * 64),
          sum,
        ) < 1e-4,
      );
      assert.ok(Math.max(...sum.map(Math.abs)) > 0.1);
    }));

  it('leaves a graph that was read already as it is', () =>
    inFolder((folder) => {
      const graph = readGraph(model(folder));
      const before = JSON.stringify([graph.nodes, graph.inputs, graph.outputs]);
      differentiate({ model: graph, of: 'y', wrt: 'x', dims: { batch: 2 } });
      assert.equal(JSON.stringify([graph.nodes, graph.inputs, graph.outputs]), before);
    }));

  it('names what there is where a name is not', () =>
    inFolder((folder) => {
      const path = model(folder);
      const attempt = (options: Partial<Parameters<typeof differentiate>[0]>) => () =>
        differentiate({ model: path, of: 'y', wrt: 'x', dims: { batch: 2 }, ...options });
      fails(
        attempt({ of: 'means' }),
        /model\.onnx" has no output "means"\. Did you mean "mean"\? Its outputs are: y, z, mean/,
      );
      fails(attempt({ wrt: 'pixels' }), /has no input "pixels"\. Its inputs are: x, ids/);
      fails(attempt({ wrt: 'ids' }), /"ids" is of type int64.*Real-valued inputs are: x/);
      fails(attempt({ of: 'z' }), /output "z" is of type int64/);
      fails(attempt({ dims: {} }), /input "x" has the open shape \[batch, 64\].*--shape x=1,64/);
      fails(attempt({ dims: { bath: 2 } }), /no open dimension "bath"\. Did you mean "batch"\?/);
      fails(attempt({ shapes: { x: [2, 65] } }), /"x" has the shape \[batch, 64\], which \[2, 65\] does not fit/);
      fails(attempt({ of: [] }), /nothing to differentiate/);
    }));

  it('never writes over the model, and says where it cannot write', () =>
    inFolder((folder) => {
      const path = model(folder);
      const before = readFileSync(path);
      const derived = differentiate({ model: path, of: 'y', wrt: 'x', dims: { batch: 2 } });
      fails(() => derived.write(path), /is a file of the model itself/);
      fails(() => derived.write(path, { weights: 'copy' }), /is a file of the model itself/);
      fails(() => derived.write(join(folder, 'no', 'such.onnx')), /the folder ".*no" does not exist/);
      assert.deepEqual(readFileSync(path), before);
    }));

  it('works where links lead to model and weights, as in the Hub cache', function () {
    return inFolder(async (folder) => {
      const [blobs, snapshot] = [join(folder, 'blobs'), join(folder, 'snapshots', 'main', 'onnx')];
      mkdirSync(blobs);
      mkdirSync(snapshot, { recursive: true });
      const inside = readGraph(model(blobs, 'weights'));
      writeModel(blobs, 'graph', inside);
      try {
        symlinkSync('../../../blobs/graph', join(snapshot, 'model.onnx'));
        symlinkSync('../../../blobs/weights', join(snapshot, 'weights'));
      } catch {
        skipBecause(this, 'links to model files', 'this system allows no symbolic links');
      }
      const path = join(snapshot, 'model.onnx');
      const derived = differentiate({ model: path, of: 'y', wrt: 'x', dims: { batch: 2 } });
      const result = await runModel(
        derived.bytes(),
        { x: float32([2, 64], x), 'y.cotangent': float32([2, 32], weights) },
        derived.folder,
      );
      const output = join(snapshot, 'gradient.onnx');
      derived.write(output);
      const written = await runModel(output, { x: float32([2, 64], x), 'y.cotangent': float32([2, 32], weights) });
      assert.deepEqual(numbers(written['x.gradient']), numbers(result['x.gradient']));
      await checkAlong(join(blobs, 'graph'), output, { x, weights, of: 'y' });
      assert.ok(existsSync(join(blobs, 'weights')));
    });
  });

  /** A Gelu so large that its gradient is a Scan over strips. */
  function largeGelu(folder: string): string {
    const graph = new Graph();
    graph.opsets.set('', 20);
    addInput(graph, 'x', 'float32', [1024, 1024]);
    graph.outputs = [new Builder(graph).op('Gelu', ['x'], {}, { as: 'y' })];
    return writeModel(folder, 'gelu.onnx', graph);
  }

  for (const { what, open, operator } of [
    {
      what: 'of a vision encoder',
      open: () => ({ model: VISION, of: 'image_features', wrt: 'pixel_values', dims: { batch_size: 1 } }),
      operator: 'MatMul',
    },
    {
      what: 'of a Gelu in strips',
      open: (folder: string) => ({ model: largeGelu(folder), of: 'y', wrt: 'x' }),
      operator: 'Scan',
    },
  ]) {
    it(`writes what onnx.checker and the onnxruntime of Python accept, with the same gradient: ${what}`, async function () {
      this.timeout(120_000);
      const python = await findPython('onnx', 'onnxruntime', 'numpy');
      if (python === undefined) {
        skipBecause(this, 'derived files in Python', 'there is no Python with onnx and onnxruntime');
      }
      await inFolder(async (folder) => {
        const request = open(folder);
        const derived = differentiate(request);
        assert.ok(
          derived.graph.nodes.some(({ op }) => op === operator),
          `the gradient has no ${operator}`,
        );
        const output = join(folder, 'gradient.onnx');
        derived.write(output, { weights: 'copy' });
        const [input, cotangent] = [request.wrt, `${request.of}.cotangent`];
        const feeds = Object.fromEntries(
          [
            { name: input, dims: derived.graph.dims(request.wrt) },
            { name: cotangent, dims: derived.graph.dims(request.of) },
          ].map(({ name, dims }) => {
            const values = wave(dims.reduce((a, b) => a * b, 1));
            writeFileSync(join(folder, name), new Uint8Array(Float32Array.from(values).buffer));
            return [name, { dims, tensor: float32(dims, values) }];
          }),
        );
        const tensors = Object.fromEntries(Object.entries(feeds).map(([name, { tensor }]) => [name, tensor]));
        const ours = numbers((await runModel(output, tensors))[`${input}.gradient`]);
        const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
        const script = `
import json, sys, numpy, onnx, onnxruntime
folder, shapes, output = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
onnx.checker.check_model(folder + "/gradient.onnx", full_check=True)
session = onnxruntime.InferenceSession(folder + "/gradient.onnx", providers=["CPUExecutionProvider"])
feeds = {name: numpy.fromfile(folder + "/" + name, numpy.float32).reshape(shape) for name, shape in shapes.items()}
gradient, = session.run([output], feeds)
gradient.astype(numpy.float32).tofile(folder + "/gradient")
print(onnx.__version__, onnxruntime.__version__)
`;
        const printed = await runPython(python, ['-c', script, folder, JSON.stringify(shapes), `${input}.gradient`]);
        assert.match(printed, /^\d+\.\d+/);
        const bytes = readFileSync(join(folder, 'gradient'));
        const theirs = Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
        const most = ours.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        assert.ok(most > 1e-3);
        assert.ok(distance(theirs, ours) < 1e-4 * most);
      });
    });
  }
});
