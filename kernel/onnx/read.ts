import { accessSync, closeSync, constants, existsSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { LensError } from '../errors.ts';
import { byteLength, decode, dtypeOf, encode, isDecodable, sizeOf } from './dtype.ts';
import type { DType } from './dtype.ts';
import type { Attribute, Constant, FileRange, GraphInput, Node } from './graph.ts';
import { Graph, isReference, sortNodes } from './graph.ts';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto } from './proto/onnx_pb.ts';
import { AttributeProto_AttributeType, ModelProtoSchema, TensorProto_DataLocation } from './proto/onnx_pb.ts';
import { skim } from './skim.ts';
import { upgrade } from './upgrade.ts';

/** Tensors up to this many bytes are kept inline; larger ones stay in their file. */
const INLINE_BYTES = 1024;

const EXPORT_AGAIN = 'Download or export the model again';

/** No protobuf message can be longer. */
const LARGEST_FILE = 2 ** 31 - 1;

interface Source {
  readonly path: string;
}

/**
 * Reads an ONNX file. Weights stay where they are: the graph holds their file (the real one, where links lead to it), offset and
 * length, whether they lie in the `.onnx` file itself or in external data beside it; of both, only the rest is read. Older
 * operator forms are brought to opset 18 (see upgrade.ts).
 *
 * @throws LensError if the file is missing, is not ONNX, is cut off, or lacks its external data
 */
export function readGraph(path: string): Graph {
  const file = resolve(path);
  checkFile(file);
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, skim(file, INLINE_BYTES), { readUnknownFields: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LensError(
      `cannot read "${file}" as ONNX: it is damaged, cut off or something else (${reason})`,
      EXPORT_AGAIN,
      { cause },
    );
  }
  if (model.graph === undefined || model.graph.node.length + model.graph.output.length === 0) {
    throw new LensError(`cannot read "${file}" as ONNX: it holds no graph`, EXPORT_AGAIN);
  }
  if (model.functions.length > 0) {
    const names = model.functions
      .map((f) => f.name)
      .slice(0, 3)
      .join(', ');
    throw new LensError(
      `"${file}" defines functions of its own (${names}), which are not supported`,
      'Inline them with onnx.inliner.inline_local_functions and save the model again',
    );
  }
  const graph = toGraph(model.graph, { path: file });
  for (const { domain, version } of model.opsetImport) {
    graph.opsets.set(domain === 'ai.onnx' ? '' : domain, Number(version));
  }
  // Converters leave nodes in other orders than the format asks for; onnxruntime's one to float16 writes casts of inputs last.
  sortNodes(graph);
  upgrade(graph);
  return graph;
}

function checkFile(file: string): void {
  if (!existsSync(file)) {
    throw new LensError(`the ONNX file "${file}" does not exist`, 'Check the path, or download the model again');
  }
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LensError(`cannot read the ONNX file "${file}": ${reason}`, 'Check that you may read it', { cause });
  }
  const facts = statSync(file);
  if (!facts.isFile()) {
    throw new LensError(`cannot read the ONNX file "${file}": it is no file`, 'Name the .onnx file itself');
  }
  if (facts.size > LARGEST_FILE) {
    throw new LensError(
      `"${file}" has ${String(facts.size)} bytes, and no ONNX file can be larger than 2 GB`,
      'Export the model with its weights as external data (onnx.save_model(..., save_as_external_data=True))',
    );
  }
}

function toGraph(proto: GraphProto, source: Source): Graph {
  const graph = new Graph();
  graph.file = source.path;
  for (const tensor of proto.initializer) graph.setConstant(tensor.name, toConstant(tensor, source));
  if (proto.sparseInitializer.length > 0) {
    throw new LensError(`"${source.path}" has sparse weights, which are not supported`, 'Export it with dense weights');
  }
  for (const input of proto.input) {
    // Old exporters list initializers among the inputs too.
    if (!graph.constants.has(input.name)) graph.inputs.push(toInput(input.name, input.type, source));
  }
  graph.outputs = proto.output.map((output) => output.name);
  for (const node of proto.node) {
    const constant = node.opType === 'Constant' ? constantNode(node, source) : undefined;
    if (constant !== undefined) graph.setConstant(node.output[0]!, constant);
    else graph.nodes.push(toNode(node, source));
  }
  return graph;
}

function toInput(name: string, type: TypeProto | undefined, source: Source): GraphInput {
  if (type?.value.case !== 'tensorType') {
    throw new LensError(`input "${name}" of "${source.path}" is not a tensor`, 'Only tensor inputs are supported');
  }
  const { elemType, shape } = type.value.value;
  const dims = (shape?.dim ?? []).map(({ value }, axis) =>
    value.case === 'dimValue'
      ? Number(value.value)
      : value.case === 'dimParam'
        ? value.value
        : `${name}.${String(axis)}`,
  );
  return { name, dtype: knownType(elemType, name, source), dims };
}

function knownType(id: number, name: string, source: Source): DType {
  const dtype = dtypeOf(id);
  if (dtype === undefined) {
    throw new LensError(
      `tensor "${name}" of "${source.path}" has the unsupported element type ${String(id)}`,
      'Use an fp32, fp16 or q4 export',
    );
  }
  return dtype;
}

function toNode(proto: NodeProto, source: Source): Node {
  return {
    op: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    name: proto.name,
    inputs: [...proto.input],
    outputs: [...proto.output],
    attributes: Object.fromEntries(proto.attribute.map((a) => [a.name, toAttribute(a, proto, source)])),
    file: source.path,
  };
}

const TEXT = new TextDecoder();

type AttributeReader = (proto: AttributeProto, source: Source) => Attribute;

const ATTRIBUTE_READERS: Readonly<Partial<Record<AttributeProto_AttributeType, AttributeReader>>> = {
  [AttributeProto_AttributeType.INT]: (a) => ({ kind: 'int', value: Number(a.i) }),
  [AttributeProto_AttributeType.FLOAT]: (a) => ({ kind: 'float', value: a.f }),
  [AttributeProto_AttributeType.STRING]: (a) => ({ kind: 'string', value: TEXT.decode(a.s) }),
  [AttributeProto_AttributeType.INTS]: (a) => ({ kind: 'ints', value: a.ints.map(Number) }),
  [AttributeProto_AttributeType.FLOATS]: (a) => ({ kind: 'floats', value: [...a.floats] }),
  [AttributeProto_AttributeType.STRINGS]: (a) => ({ kind: 'strings', value: a.strings.map((s) => TEXT.decode(s)) }),
  [AttributeProto_AttributeType.TENSOR]: (a, source) => ({ kind: 'tensor', value: toConstant(a.t!, source) }),
  [AttributeProto_AttributeType.GRAPH]: (a, source) => ({ kind: 'graph', value: toGraph(a.g!, source) }),
};

function toAttribute(proto: AttributeProto, node: NodeProto, source: Source): Attribute {
  const read = ATTRIBUTE_READERS[proto.type];
  if (read === undefined) {
    throw new LensError(
      `attribute "${proto.name}" of node "${node.name}" in "${source.path}" has the unsupported type ${String(proto.type)}`,
      EXPORT_AGAIN,
    );
  }
  return read(proto, source);
}

/** The tensor of a Constant node; undefined for one of strings, which stays a node. */
function constantNode(proto: NodeProto, source: Source): Constant | undefined {
  const attribute = proto.attribute[0];
  if (attribute === undefined) return undefined;
  const floats = (dims: number[], values: number[]): Constant => ({
    dtype: 'float32',
    dims,
    data: encode('float32', values),
  });
  const integers = (dims: number[], values: number[]): Constant => ({
    dtype: 'int64',
    dims,
    data: encode('int64', values),
  });
  const { name } = attribute;
  if (name === 'value' && attribute.t !== undefined) return toConstant(attribute.t, source);
  if (name === 'value_float') return floats([], [attribute.f]);
  if (name === 'value_floats') return floats([attribute.floats.length], attribute.floats);
  if (name === 'value_int') return integers([], [Number(attribute.i)]);
  if (name === 'value_ints') return integers([attribute.ints.length], attribute.ints.map(Number));
  return undefined;
}

function toConstant(tensor: TensorProto, source: Source): Constant {
  const dims = tensor.dims.map(Number);
  const dtype = knownType(tensor.dataType, tensor.name, source);
  const length = byteLength(dtype, sizeOf(dims));
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    return inlined({ dtype, dims, data: externalRange(tensor, length, source) });
  }
  if (tensor.rawData.length > 0 || length === 0) {
    if (tensor.rawData.length !== length) {
      throw new LensError(
        `tensor "${tensor.name}" of "${source.path}" holds ${String(tensor.rawData.length)} bytes where its shape needs ${String(length)}`,
        EXPORT_AGAIN,
      );
    }
    return { dtype, dims, data: tensor.rawData.slice() };
  }
  return { dtype, dims, data: fieldData(tensor, dtype, sizeOf(dims), source) };
}

/** Data in the typed fields (float_data, int64_data, …), which only small or old files use. */
function fieldData(tensor: TensorProto, dtype: DType, count: number, source: Source): Uint8Array {
  const half = dtype === 'float16' || dtype === 'bfloat16';
  const values = [tensor.floatData, tensor.doubleData, tensor.int64Data, tensor.uint64Data, tensor.int32Data].find(
    (field) => field.length > 0,
  );
  if (values?.length !== count || (!half && !isDecodable(dtype))) {
    throw new LensError(`tensor "${tensor.name}" of "${source.path}" has no readable data`, EXPORT_AGAIN);
  }
  // Half precision comes as bit patterns in int32_data.
  return encode(half ? 'uint16' : dtype, values.map(Number));
}

function externalRange(tensor: TensorProto, length: number, source: Source): FileRange {
  const facts = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = facts.get('location') ?? '';
  const offset = Number(facts.get('offset') ?? 0);
  if (location === '' || isAbsolute(location) || location.split(/[\\/]/).includes('..')) {
    throw new LensError(
      `tensor "${tensor.name}" of "${source.path}" refers to the file "${location}", which is not a relative path below its folder`,
      EXPORT_AGAIN,
    );
  }
  const file = resolve(dirname(source.path), location);
  if (!existsSync(file)) {
    throw new LensError(
      `the weights of "${source.path}" are missing: "${file}" does not exist`,
      `Put "${location}" beside the .onnx file; on the Hugging Face Hub it lies in the same folder`,
    );
  }
  const stated = Number(facts.get('length') ?? length);
  if (stated !== length) {
    throw new LensError(
      `tensor "${tensor.name}" of "${source.path}" holds ${String(stated)} bytes where its shape needs ${String(length)}`,
      EXPORT_AGAIN,
    );
  }
  const size = statSync(file).size;
  if (offset + length > size) {
    throw new LensError(
      `the weights file "${file}" is cut off: it has ${String(size)} bytes, and tensor "${tensor.name}" ends at ${String(offset + length)}`,
      EXPORT_AGAIN,
    );
  }
  return { file: realpathSync(file), offset, length };
}

const inlined = (constant: Constant): Constant =>
  isReference(constant) && constant.data.length <= INLINE_BYTES
    ? { ...constant, data: constantData(constant) }
    : constant;

/** The bytes of a constant, read from its file where it is a reference. Not for big weights. */
export function constantData(constant: Constant): Uint8Array {
  if (!isReference(constant)) return constant.data as Uint8Array;
  const { file, offset, length } = constant.data;
  const bytes = new Uint8Array(length);
  const handle = openSync(file, 'r');
  try {
    const got = readSync(handle, bytes, 0, length, offset);
    if (got !== length) throw new LensError(`the weights file "${file}" is cut off`, EXPORT_AGAIN);
  } finally {
    closeSync(handle);
  }
  return bytes;
}

/** The values of a constant as numbers. Not for big weights. */
export const constantValues = (constant: Constant): Float64Array => decode(constant.dtype, constantData(constant));
