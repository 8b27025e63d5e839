import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { create, toBinary } from '@bufbuild/protobuf';
import { LensError } from '../errors.ts';
import { dtypeId } from './dtype.ts';
import type { Attribute, Constant, FileRange, Graph, GraphInput, Node, ValueType } from './graph.ts';
import { isReference } from './graph.ts';
import type {
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from './proto/onnx_pb.ts';
import { AttributeProto_AttributeType as Kind, ModelProtoSchema, TensorProto_DataLocation } from './proto/onnx_pb.ts';

/** The first file format version with 4-bit integers; onnxruntime reads newer ones too, but older runtimes do not. */
const IR_VERSION = 10n;

/**
 * The deepest folder that all referred weights lie in: what onnxruntime needs to find them
 * (`extra.session.model_external_initializers_file_folder_path`). Undefined where the graph refers to none.
 */
export function weightsFolder(graph: Graph): string | undefined {
  return folderOfAll(
    [...graph.constants.values()].filter(isReference).map((constant) => (constant.data as FileRange).file),
  );
}

/** The deepest folder that all these files lie in; undefined where there are none. */
export function folderOfAll(files: readonly string[]): string | undefined {
  let folder: string | undefined;
  for (const file of files) {
    const here = dirname(file);
    folder ??= here;
    while (!isInside(here, folder)) {
      const parent = dirname(folder);
      if (parent === folder) {
        throw new LensError(
          `weights in "${here}" and on another drive cannot serve one model`,
          'Put all files of the model on one drive',
        );
      }
      folder = parent;
    }
  }
  return folder;
}

/** Whether a path lies in a folder or below it. */
export const isInside = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
};

/**
 * The graph as a standard ONNX ModelProto. Weights are referred to as external data, relative to `folder`; nothing is copied.
 *
 * @throws LensError if weights lie outside `folder`, where onnxruntime refuses to read them
 */
export function serialise(graph: Graph, folder = weightsFolder(graph) ?? '.'): Uint8Array {
  const real = existsSync(folder) ? realpathSync(folder) : resolve(folder);
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'lvlm-lens',
    opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: graphProto(graph, real),
  });
  return toBinary(ModelProtoSchema, model);
}

function graphProto(graph: Graph, folder: string): MessageInitShape<typeof GraphProtoSchema> {
  return {
    name: 'lens',
    node: graph.nodes.map((node) => nodeProto(node, folder)),
    initializer: [...graph.constants].map(([name, constant]) => tensorProto(name, constant, folder)),
    input: graph.inputs.map(inputProto),
    output: graph.outputs.map((name) => outputProto(name, graph.types.get(name))),
  };
}

const dimProto = (dim: number | string) =>
  typeof dim === 'number'
    ? ({ value: { case: 'dimValue', value: BigInt(dim) } } as const)
    : ({ value: { case: 'dimParam', value: dim } } as const);

const inputProto = ({ name, dtype, dims }: GraphInput): MessageInitShape<typeof ValueInfoProtoSchema> => ({
  name,
  type: { value: { case: 'tensorType', value: { elemType: dtypeId(dtype), shape: { dim: dims.map(dimProto) } } } },
});

/** Without a known type onnxruntime infers it. */
const outputProto = (name: string, type: ValueType | undefined): MessageInitShape<typeof ValueInfoProtoSchema> =>
  type === undefined ? { name } : inputProto({ name, ...type });

function tensorProto(name: string, constant: Constant, folder: string): MessageInitShape<typeof TensorProtoSchema> {
  const head = { name, dataType: dtypeId(constant.dtype), dims: constant.dims.map(BigInt) };
  if (!isReference(constant)) return { ...head, rawData: constant.data as Uint8Array };
  const { file, offset, length } = constant.data;
  if (!isInside(file, folder)) {
    throw new LensError(
      `the weights file "${file}" lies outside the folder "${folder}"`,
      'Put the files of one model in one folder',
    );
  }
  const location = relative(folder, file).split(sep).join('/');
  return {
    ...head,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries({ location, offset: String(offset), length: String(length) }).map(([key, value]) => ({
      key,
      value,
    })),
  };
}

const nodeProto = (node: Node, folder: string): MessageInitShape<typeof NodeProtoSchema> => ({
  opType: node.op,
  domain: node.domain,
  name: node.name,
  input: node.inputs,
  output: node.outputs,
  attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeProto(name, attribute, folder)),
});

const TEXT = new TextEncoder();

type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>;
/** The value of an attribute of one kind; int and float share a union member. */
type AttributeValue<K extends Attribute['kind']> = Attribute extends infer A
  ? A extends { readonly kind: infer Kinds; readonly value: infer V }
    ? K extends Kinds
      ? V
      : never
    : never
  : never;
type AttributeWriters = {
  readonly [K in Attribute['kind']]: (value: AttributeValue<K>, folder: string) => AttributeInit;
};

const ATTRIBUTE_WRITERS: AttributeWriters = {
  int: (value) => ({ type: Kind.INT, i: BigInt(value) }),
  float: (value) => ({ type: Kind.FLOAT, f: value }),
  string: (value) => ({ type: Kind.STRING, s: TEXT.encode(value) }),
  ints: (value) => ({ type: Kind.INTS, ints: value.map(BigInt) }),
  floats: (value) => ({ type: Kind.FLOATS, floats: [...value] }),
  strings: (value) => ({ type: Kind.STRINGS, strings: value.map((s) => TEXT.encode(s)) }),
  tensor: (value, folder) => ({ type: Kind.TENSOR, t: tensorProto('', value, folder) }),
  graph: (value, folder) => ({ type: Kind.GRAPH, g: graphProto(value, folder) }),
};

function attributeProto(name: string, attribute: Attribute, folder: string): AttributeInit {
  // The table's key and the value come from one union member; TypeScript cannot see that through the lookup.
  const write = ATTRIBUTE_WRITERS[attribute.kind] as (value: Attribute['value'], folder: string) => AttributeInit;
  return { name, ...write(attribute.value, folder) };
}
