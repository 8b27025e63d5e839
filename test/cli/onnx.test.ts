import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Builder, Graph, addInput, constantOf, readGraph, serialise } from '../../kernel/onnx/index.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { lvlmLens } from './command.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
const POCKET = path.join(ROOT, 'models/pocket/onnx');

/** A graph of one operator on float32[2, 3, 3]. */
function write(folder: string, name: string, op: string): string {
  const graph = new Graph();
  graph.opsets.set('', 18);
  addInput(graph, 'x', 'float32', [2, 3, 3]);
  graph.setConstant('scale', constantOf('float32', [3], [1, 2, 3]));
  const b = new Builder(graph);
  graph.outputs = [b.op(op, [b.op('Mul', ['x', 'scale'])], {}, { as: 'y' })];
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, serialise(graph, folder));
  return file;
}

describe('lvlm-lens onnx differentiate', function () {
  this.timeout(120_000);
  const folder = temporaryFolder('onnx');

  it('writes the gradient beside the model and says what goes in and comes out', async () => {
    const model = path.join(folder, 'vision.onnx');
    copyFileSync(path.join(POCKET, 'vision_encoder.onnx'), model);
    const args = ['--of', 'image_features', '--wrt', 'pixel_values', '--shape', 'pixel_values=1,3,96,96'];
    const { code, stdout, stderr } = await lvlmLens(['onnx', 'differentiate', 'vision.onnx', ...args], folder);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^wrote vision\.gradient\.onnx\n$/);
    assert.match(stdout, /pixel_values {2}float32\[1, 3, 96, 96\]/);
    assert.match(stdout, /image_features\.cotangent {2}float32\[1, \d+, \d+\] {2}weighs image_features/);
    assert.match(stdout, /pixel_values\.gradient {2}float32\[1, 3, 96, 96\] {2}gradient with respect to pixel_values/);
    const written = readGraph(path.join(folder, 'vision.gradient.onnx'));
    assert.deepEqual(written.outputs, ['image_features', 'pixel_values.gradient']);
  });

  it('sums on request, and copies the weights', async () => {
    const output = path.join(folder, 'alone.onnx');
    const args = [
      '--of',
      'image_features',
      '--wrt',
      'pixel_values',
      '--dim',
      'batch_size=2',
      '--sum',
      '--copy-weights',
    ];
    const model = path.join(POCKET, 'vision_encoder.onnx');
    const { code, stderr } = await lvlmLens(['onnx', 'differentiate', model, ...args, '-o', output], folder);
    assert.equal(code, 0, stderr);
    const written = readGraph(output);
    assert.deepEqual(
      written.inputs.map(({ name, dims }) => [name, dims]),
      [['pixel_values', [2, 3, 96, 96]]],
    );
    assert.ok(readFileSync(output).length > 4e6);
  });

  it('says what is wrong, without a stack', async () => {
    const model = path.join(POCKET, 'vision_encoder.onnx');
    const attempt = (...args: string[]) => lvlmLens(['onnx', 'differentiate', model, ...args], folder);
    const cases: readonly (readonly [args: string[], code: number, message: RegExp])[] = [
      [['--of', 'features', '--wrt', 'pixel_values'], 1, /no output "features"\. .*outputs are: image_features/],
      [['--of', 'image_features', '--wrt', 'pixels'], 1, /no input "pixels"\. .*inputs are: pixel_values/],
      [['--of', 'image_features', '--wrt', 'pixel_values'], 1, /open shape .*--shape pixel_values=1,3,96,96/],
      [['--of', 'image_features', '--wrt', 'pixel_values', '--shape', 'big'], 1, /--shape "big" is not of the form/],
      [['--of', 'image_features'], 2, /required option '--wrt <input>' not specified/],
    ];
    for (const [args, expected, message] of cases) {
      const { code, stderr } = await attempt(...args);
      assert.equal(code, expected, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  });

  it('is a library too, with types', async () => {
    const consumer = path.join(folder, 'consumer');
    mkdirSync(path.join(consumer, 'node_modules'), { recursive: true });
    symlinkSync(ROOT, path.join(consumer, 'node_modules/lvlm-lens'), 'junction');
    writeFileSync(path.join(consumer, 'package.json'), '{ "type": "module" }');
    const source = `
import { LensError, differentiate } from 'lvlm-lens/onnx';
import type { Derived } from 'lvlm-lens/onnx';

const model = ${JSON.stringify(path.join(POCKET, 'vision_encoder.onnx'))};
const derived: Derived = differentiate({ model, of: 'image_features', wrt: 'pixel_values', dims: { batch_size: 1 } });
const gradient: string | undefined = derived.gradients['pixel_values'];
let message = '';
try {
  differentiate({ model, of: 'nothing', wrt: 'pixel_values' });
} catch (error) {
  if (error instanceof LensError) message = error.message;
}
console.log(JSON.stringify({ gradient, size: derived.bytes().length, inputs: derived.inputs.length, message }));
`;
    writeFileSync(path.join(consumer, 'use.ts'), source);
    assert.ok(existsSync(path.join(ROOT, 'dist/types/kernel/onnx.d.ts')), 'run "npm run build" first');
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const strict = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck'];
    const roots = ['--typeRoots', path.join(ROOT, 'node_modules/@types')];
    await run(process.execPath, [tsc, ...strict, ...roots, 'use.ts'], { cwd: consumer }).catch((error: unknown) => {
      assert.fail((error as { stdout: string }).stdout);
    });
    const { stdout } = await run(process.execPath, ['use.js'], { cwd: consumer });
    const result = JSON.parse(stdout) as { gradient: string; size: number; inputs: number; message: string };
    assert.equal(result.gradient, 'pixel_values.gradient');
    assert.equal(result.inputs, 2);
    assert.ok(result.size > 1000 && result.size < 500_000);
    assert.match(result.message, /no output "nothing"/);
  });
});

describe('lvlm-lens models check', function () {
  this.timeout(120_000);
  const folder = temporaryFolder('check');

  it('reports operators, types, memory and whether a gradient passes', async () => {
    const { code, stdout, stderr } = await lvlmLens(['models', 'check', path.dirname(POCKET)], folder);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /onnx\/decoder_model_merged\.onnx\n {2}gradient +a gradient passes\n {2}weights +float32 5\.\d+ MB/,
    );
    assert.match(stdout, /memory +[\d.]+ MB to explain: weights [\d.]+ MB, values [\d.]+ MB/);
    assert.match(stdout, /embed_tokens\.onnx\n {2}gradient +no gradient needed: it has no real-valued input/);
    assert.match(stdout, /with a gradient rule: .*MatMul ×\d+/);
  });

  it('fails where an operator is missing, in the table and as JSON', async () => {
    write(folder, 'model/good.onnx', 'Tanh');
    write(folder, 'model/odd.onnx', 'Det');
    writeFileSync(path.join(folder, 'model/page.onnx'), '<!doctype html>');
    const table = await lvlmLens(['models', 'check', 'model'], folder);
    assert.equal(table.code, 1);
    assert.match(table.stdout, /odd\.onnx\n {2}gradient +NO gradient passes: .*Det/);
    assert.match(table.stdout, /MISSING: Det ×1/);
    assert.match(table.stderr, /2 of 3 files cannot be explained: odd\.onnx, page\.onnx/);
    const json = await lvlmLens(['models', 'check', 'model', '--json'], folder);
    assert.equal(json.code, 1);
    const { files } = JSON.parse(json.stdout) as {
      files: {
        file: string;
        gradient: string;
        error?: string;
        operators?: { operator: string; support: string }[];
        memory?: { weights: number; forward: number; gradient: number };
      }[];
    };
    const [good, odd, page] = files;
    assert.deepEqual([good!.gradient, odd!.gradient, page!.gradient], ['yes', 'no', 'no']);
    assert.deepEqual(
      odd!.operators!.map(({ operator, support }) => [operator, support]),
      [
        ['Det', 'missing'],
        ['Mul', 'rule'],
      ],
    );
    assert.match(page!.error!, /as ONNX/);
    // x, x·scale, tanh of it: 72 bytes each, of which two or three are alive at once; the weights are three numbers.
    assert.deepEqual([good!.memory!.weights, good!.memory!.forward], [12, 216]);
    assert.ok(good!.memory!.gradient > good!.memory!.forward);
  });

  it('says that there is nothing to check', async () => {
    const { code, stderr } = await lvlmLens(['models', 'check', 'nowhere'], folder);
    assert.equal(code, 1);
    assert.match(stderr, /there is no folder "nowhere"/);
  });
});
