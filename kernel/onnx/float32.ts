import type { DType } from './dtype.ts';
import { dtypeId, isDecodable } from './dtype.ts';
import type { Attribute, Constant, Graph, Node } from './graph.ts';
import { constantBytes, constantOf, int } from './graph.ts';
import { constantValues } from './read.ts';

/** Constants up to this many bytes are rewritten; the bytes of larger ones stay in their file and are cast when the graph runs. */
const REWRITTEN_BYTES = 1024;

const isHalf = (dtype: DType): boolean => dtype === 'float16' || dtype === 'bfloat16';

/**
 * Makes a graph compute in single precision, in place, before it is bound: onnxruntime's CPU has hardly any kernel for half
 * precision, and gradients would not survive its range. Inputs and outputs of half precision become float32 too. Weights stay
 * where they are and as they are on disk, behind a Cast; everything after it is float32. Products with packed weights leave their
 * activations unrounded (accuracy_level 1), as gradients assume.
 */
export function computeInFloat32(graph: Graph): void {
  const renamed = new Map<string, string>();
  graph.nodes = [...widenConstants(graph, renamed), ...graph.nodes];
  graph.inputs = graph.inputs.map((input) => (isHalf(input.dtype) ? { ...input, dtype: 'float32' } : input));
  for (const { name } of graph.inputs) graph.types.delete(name);
  widenNodes(graph, renamed);
}

/** Casts for the large constants of half precision, whose readers are to take the new name; small ones are rewritten. */
function widenConstants(graph: Graph, renamed: Map<string, string>): Node[] {
  const casts: Node[] = [];
  for (const [name, constant] of [...graph.constants]) {
    if (!isHalf(constant.dtype)) continue;
    if (isDecodable(constant.dtype) && constantBytes(constant) <= REWRITTEN_BYTES) {
      graph.setConstant(name, widened(constant));
      continue;
    }
    const wide = graph.fresh(`${name}/float32`);
    // Reserves the name; binding tells the shape again.
    graph.types.set(wide, { dtype: 'float32', dims: constant.dims });
    renamed.set(name, wide);
    casts.push({
      ...{ op: 'Cast', domain: '', name: wide, inputs: [name], outputs: [wide] },
      attributes: { to: int(dtypeId('float32')) },
      file: graph.file,
    });
  }
  return casts;
}

const widened = ({ dims, ...rest }: Constant): Constant =>
  constantOf('float32', dims, constantValues({ dims, ...rest }));

/** Attributes that name an element type. */
const TYPE_ATTRIBUTES: ReadonlySet<string> = new Set(['to', 'dtype', 'output_dtype', 'softmax_precision']);
const HALVES: readonly number[] = [dtypeId('float16'), dtypeId('bfloat16')];

function widenNodes(graph: Graph, renamed: Map<string, string>): void {
  const casts = new Set(renamed.values());
  for (const node of graph.nodes) {
    if (casts.has(node.outputs[0]!)) continue;
    node.inputs = node.inputs.map((name) => renamed.get(name) ?? name);
    for (const [key, attribute] of Object.entries(node.attributes)) {
      node.attributes[key] = widenAttribute(key, attribute, renamed);
    }
    if (node.op === 'MatMulNBits' && node.attributes.accuracy_level !== undefined)
      node.attributes.accuracy_level = int(1);
  }
  graph.outputs = graph.outputs.map((name) => renamed.get(name) ?? name);
}

function widenAttribute(key: string, attribute: Attribute, renamed: ReadonlyMap<string, string>): Attribute {
  if (attribute.kind === 'int' && TYPE_ATTRIBUTES.has(key) && HALVES.includes(attribute.value)) {
    return int(dtypeId('float32'));
  }
  if (attribute.kind === 'tensor' && isHalf(attribute.value.dtype) && isDecodable(attribute.value.dtype)) {
    return { kind: 'tensor', value: widened(attribute.value) };
  }
  if (attribute.kind === 'graph') {
    // A branch sees the outer values, and may hide one behind a name of its own.
    const inner = new Map(renamed);
    for (const name of attribute.value.constants.keys()) inner.delete(name);
    attribute.value.nodes = [...widenConstants(attribute.value, inner), ...attribute.value.nodes];
    widenNodes(attribute.value, inner);
  }
  return attribute;
}
