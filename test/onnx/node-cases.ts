import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import { dtypeOf, encode } from '../../kernel/onnx/dtype.ts';
import type { Constant } from '../../kernel/onnx/index.ts';
import { ModelProtoSchema, TensorProtoSchema } from '../../kernel/onnx/proto/onnx_pb.ts';
import { findPython, runPython } from '../python.ts';

/** One official test: a model of one operator (or of what the operator is expanded to), inputs, and what must come out. */
export interface NodeCase {
  /** The test's name, such as 'test_relu'. */
  readonly name: string;
  /** The operator that it tests, with its domain unless that is ONNX's own. */
  readonly op: string;
  /** The .onnx file. */
  readonly model: string;
  readonly rtol: number;
  readonly atol: number;
  /** Names of the model's inputs, in the order of the data. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly data: () => NodeData;
}

/** Undefined stands for a value that is no plain tensor: strings, sequences, 8-bit floats. */
export interface NodeData {
  readonly inputs: readonly (Constant | undefined)[];
  readonly outputs: readonly (Constant | undefined)[];
}

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/lvlm-lens');

/**
 * The folder of the official node tests of the installed `onnx` package, which generates them; kept from run to run. Undefined
 * where there is no Python with `onnx`.
 */
export async function nodeTestFolder(): Promise<string | undefined> {
  const python = await findPython('onnx');
  if (python === undefined) return undefined;
  const script = join(import.meta.dirname, 'node-tests.py');
  const folder = join(CACHE, `onnx-node-tests-${await runPython(python, [script, '--version'])}`);
  if (!existsSync(folder)) {
    // Another run must not find it half made.
    const making = `${folder}.${String(process.pid)}`;
    rmSync(making, { recursive: true, force: true });
    await runPython(python, ['-W', 'ignore', script, making]);
    renameSync(making, folder);
  }
  return folder;
}

/** The cases of a folder, by name. */
export function readCases(folder: string): NodeCase[] {
  const ops = new Map<string, string>();
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const model = join(folder, name, 'model.onnx');
      const { graph } = fromBinary(ModelProtoSchema, readFileSync(model));
      const [first] = graph!.node;
      const base = name.replace(/_expanded.*$/, '');
      const domain = first?.domain === '' || first?.domain === 'ai.onnx' ? '' : `${first?.domain ?? ''}.`;
      if (name === base) ops.set(name, domain + (first?.opType ?? 'nothing'));
      const given = new Set(graph!.initializer.map((tensor) => tensor.name));
      return {
        name,
        op: ops.get(base) ?? base,
        model,
        ...(JSON.parse(readFileSync(join(folder, name, 'tolerance.json'), 'utf8')) as { rtol: number; atol: number }),
        inputNames: graph!.input.map((input) => input.name).filter((input) => !given.has(input)),
        outputNames: graph!.output.map((output) => output.name),
        data: () => readData(join(folder, name, 'test_data_set_0')),
      };
    });
}

function readData(folder: string): NodeData {
  const files = readdirSync(folder);
  const all = (kind: string) =>
    Array.from({ length: files.filter((file) => file.startsWith(kind)).length }, (_, i) =>
      readTensor(join(folder, `${kind}_${String(i)}.pb`)),
    );
  return { inputs: all('input'), outputs: all('output') };
}

function readTensor(path: string): Constant | undefined {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return undefined;
  const tensor = fromBinary(TensorProtoSchema, bytes);
  const dtype = dtypeOf(tensor.dataType);
  if (dtype === undefined || dtype === 'string' || dtype === 'int4' || dtype === 'uint4') return undefined;
  const dims = tensor.dims.map(Number);
  if (tensor.int32Data.length > 0)
    return {
      dtype,
      dims,
      data: encode(dtype === 'float16' || dtype === 'bfloat16' ? 'uint16' : dtype, tensor.int32Data),
    };
  return { dtype, dims, data: tensor.rawData };
}

type Data = ort.Tensor.DataTypeMap[keyof ort.Tensor.DataTypeMap];

const ARRAYS: Readonly<Partial<Record<Constant['dtype'], (buffer: ArrayBuffer) => Data>>> = {
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
  float16: (buffer) => new Uint16Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  bool: (buffer) => new Uint8Array(buffer),
};

/** The same as a tensor of onnxruntime's; undefined for a type that it cannot be fed. */
export function toTensor({ dtype, dims, data }: Constant): ort.Tensor | undefined {
  const array = ARRAYS[dtype];
  if (array === undefined) return undefined;
  const bytes = data as Uint8Array;
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return new ort.Tensor(dtype as 'float32', array(buffer) as Float32Array, [...dims]);
}
