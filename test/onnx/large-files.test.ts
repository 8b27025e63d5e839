import assert from 'node:assert/strict';
import { closeSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { differentiate } from '../../kernel/autodiff/file.ts';
import { LensError } from '../../kernel/errors.ts';
import { Builder, Graph, addInput, constantOf, isReference, readGraph, serialise } from '../../kernel/onnx/index.ts';
import { distance, float32, inFolder, numbers, runModel, wave, writeModel } from './run.ts';
import { skipBecause } from '../skip.ts';

/** Larger than any number of 32 bits can count. */
const BEYOND = 3 * 2 ** 30;
const ROWS = 16;
const COLUMNS = 64;
const BYTES = ROWS * COLUMNS * 4;

/**
 * y = x·W, with W at the end of a file of 3 GB of which only the written parts take space. @returns the model's path, or undefined
 * where the file system has no sparse files
 */
function large(folder: string): string | undefined {
  const data = join(folder, 'model.onnx_data');
  writeFileSync(data, '');
  truncateSync(data, BEYOND + BYTES);
  const handle = openSync(data, 'r+');
  writeSync(handle, new Uint8Array(Float32Array.from(wave(ROWS * COLUMNS)).buffer), 0, BYTES, BEYOND);
  closeSync(handle);
  if (statSync(data).blocks * 512 > BEYOND / 2) return undefined;
  const graph = new Graph();
  graph.opsets.set('', 18);
  addInput(graph, 'x', 'float32', [2, ROWS]);
  const reference = { file: data, offset: BEYOND, length: BYTES };
  graph.setConstant('W', { dtype: 'float32', dims: [ROWS, COLUMNS], data: reference });
  graph.outputs = [new Builder(graph).op('MatMul', ['x', 'W'], {}, { as: 'y' })];
  const path = join(folder, 'model.onnx');
  writeFileSync(path, serialise(graph, folder));
  return path;
}

describe('files of more than 2 GB', () => {
  it('are opened lazily, differentiated and run where their weights lie', function () {
    return inFolder(async (folder) => {
      if (process.platform === 'win32') skipBecause(this, 'files of 3 GB', 'Windows fills sparse files');
      const path = large(folder);
      if (path === undefined) skipBecause(this, 'files of 3 GB', 'this file system has no sparse files');
      const before = process.memoryUsage().rss;
      const graph = readGraph(path);
      const weight = graph.constants.get('W')!;
      assert.ok(isReference(weight));
      assert.equal(weight.data.offset, BEYOND);
      const derived = differentiate({ model: graph, of: 'y', wrt: 'x' });
      const output = join(folder, 'gradient.onnx');
      derived.write(output);
      assert.ok(statSync(output).size < 4096);
      assert.ok(process.memoryUsage().rss - before < 2 ** 28, 'the weights were read');
      const [x, cotangent] = [wave(2 * ROWS), wave(2 * COLUMNS)];
      const feeds = { x: float32([2, ROWS], x), 'y.cotangent': float32([2, COLUMNS], cotangent) };
      const gradient = numbers((await runModel(output, feeds))['x.gradient']);
      const W = wave(ROWS * COLUMNS);
      const expected = x.map((_, i) => {
        const [batch, row] = [Math.floor(i / ROWS), i % ROWS];
        return Array.from(
          { length: COLUMNS },
          (_v, j) => cotangent[batch * COLUMNS + j]! * W[row * COLUMNS + j]!,
        ).reduce((a, b) => a + b);
      });
      assert.ok(distance(gradient, expected) < 1e-4);
    });
  });

  it('cannot be .onnx files, and the message says what to do', () =>
    inFolder((folder) => {
      const path = join(folder, 'huge.onnx');
      writeFileSync(path, '');
      truncateSync(path, 2 ** 31);
      assert.throws(
        () => readGraph(path),
        (error) =>
          error instanceof LensError &&
          /huge\.onnx" has 2147483648 bytes, and no ONNX file can be larger than 2 GB\. Export .*external data/.test(
            error.message,
          ),
      );
    }));

  it('of one .onnx file only the graph is read, not the weights inside it', () =>
    inFolder((folder) => {
      const graph = new Graph();
      graph.opsets.set('', 18);
      addInput(graph, 'x', 'float32', [1, 4096]);
      // 64 MB inside the file.
      graph.setConstant('W', { dtype: 'float32', dims: [4096, 4096], data: new Uint8Array(4096 * 4096 * 4).fill(1) });
      graph.setConstant('b', constantOf('float32', [3], [1, 2, 3]));
      graph.outputs = [new Builder(graph).op('MatMul', ['x', 'W'], {}, { as: 'y' }), 'b'];
      const path = writeModel(folder, 'model.onnx', graph);
      graph.constants.clear();
      const { arrayBuffers } = process.memoryUsage();
      const weight = readGraph(path).constants.get('W')!;
      assert.ok(process.memoryUsage().arrayBuffers - arrayBuffers < 2 ** 23, 'the weights were read');
      assert.ok(isReference(weight));
      assert.equal(weight.data.length, 4096 * 4096 * 4);
    }));
});
