import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, realpathSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LensError } from '../../kernel/errors.ts';
import {
  Builder,
  Graph,
  addInput,
  constantOf,
  constantValues,
  isReference,
  readGraph,
  serialise,
} from '../../kernel/onnx/index.ts';
import { POCKET, inFolder, wave, writeModel } from './run.ts';

/** y = x·W with a W that is large enough to stay in its file. */
function linear(weight: number[] = wave(64 * 32)): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  addInput(graph, 'x', 'float32', [2, 64]);
  graph.setConstant('W', constantOf('float32', [64, 32], weight));
  graph.outputs = [new Builder(graph).op('MatMul', ['x', 'W'], {}, { as: 'y' })];
  return graph;
}

const fails = (path: string, message: RegExp) =>
  assert.throws(
    () => readGraph(path),
    (error) => error instanceof LensError && message.test(error.message),
  );

describe('reading ONNX files', () => {
  it('leaves weights in the file and knows where they are', () =>
    inFolder((folder) => {
      const path = writeModel(folder, 'a.onnx', linear());
      const weight = readGraph(path).constants.get('W')!;
      assert.ok(isReference(weight));
      assert.equal(weight.data.file, realpathSync(path));
      assert.equal(weight.data.length, 64 * 32 * 4);
      const bytes = readFileSync(path).subarray(weight.data.offset, weight.data.offset + weight.data.length);
      const expected = Float32Array.from(wave(64 * 32));
      assert.deepEqual(new Uint8Array(bytes), new Uint8Array(expected.buffer));
      assert.deepEqual(Float32Array.from(constantValues(weight)), expected);
    }));

  it('finds weights in external data', () =>
    inFolder((folder) => {
      const path = writeModel(folder, 'a.onnx', linear());
      // Written again from its reading, the weights are external data that lie in a.onnx.
      const second = join(folder, 'b.onnx');
      writeFileSync(second, serialise(readGraph(path), folder));
      assert.ok(statSync(second).size < 1000);
      const weight = readGraph(second).constants.get('W')!;
      assert.ok(isReference(weight));
      assert.equal(weight.data.file, realpathSync(path));
      assert.deepEqual(Float32Array.from(constantValues(weight)), Float32Array.from(wave(64 * 32)));
    }));

  it('says that a file is missing', () => {
    fails('/no/such/model.onnx', /"\/no\/such\/model\.onnx" does not exist\. Check the path/);
  });

  it('says that a file is something else', () =>
    inFolder((folder) => {
      const path = join(folder, 'page.onnx');
      writeFileSync(path, '<!doctype html><title>404</title>');
      fails(path, /page\.onnx" as ONNX: .*Download or export/);
      writeFileSync(path, '');
      fails(path, /holds no graph/);
      writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n');
      fails(path, /as ONNX/);
    }));

  it('says that a folder is no file', () => {
    fails(POCKET, /cannot read the ONNX file/);
  });

  it('says that a file is cut off, wherever it is cut', () =>
    inFolder((folder) => {
      const path = writeModel(folder, 'a.onnx', linear());
      const whole = readFileSync(path);
      for (const share of [0.1, 0.5, 0.9, 0.99]) {
        writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
        fails(path, /a\.onnx" as ONNX: it is damaged, cut off|as ONNX: it holds no graph/);
      }
    }));

  it('says that external data is missing or cut off', () =>
    inFolder((folder) => {
      const data = writeModel(folder, 'weights.onnx_data', linear());
      const path = join(folder, 'a.onnx');
      writeFileSync(path, serialise(readGraph(data), folder));
      const lonely = join(folder, 'sub.onnx');
      copyFileSync(path, lonely);
      truncateSync(data, 2000);
      fails(path, /weights\.onnx_data" is cut off: it has 2000 bytes, and tensor "W" ends at/);
      copyFileSync(data, join(folder, 'other'));
      writeFileSync(
        path,
        Buffer.from(readFileSync(path).toString('latin1').replace('weights.onnx_data', 'weightz.onnx_data'), 'latin1'),
      );
      fails(path, /weightz\.onnx_data" does not exist\. Put "weightz\.onnx_data" beside the \.onnx file/);
    }));

  it('refuses external data by an absolute path', () =>
    inFolder((folder) => {
      const data = writeModel(folder, 'weights.onnx_data', linear());
      const path = join(folder, 'a.onnx');
      const bytes = Buffer.from(serialise(readGraph(data), folder)).toString('latin1');
      writeFileSync(path, Buffer.from(bytes.replace('weights.onnx_data', '/etc/wei.onnx_dat'), 'latin1'));
      fails(path, /which is not a relative path/);
    }));

  it('refuses operator sets older than 9', () =>
    inFolder((folder) => {
      const graph = linear();
      graph.opsets.set('', 8);
      fails(writeModel(folder, 'old.onnx', graph), /operator set 8, older than 9\. Convert it/);
    }));

  it('reads the embedded model', () => {
    const graph = readGraph(join(POCKET, 'vision_encoder.onnx'));
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ['pixel_values'],
    );
    assert.ok([...graph.constants.values()].some(isReference));
  });
});
