import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { LensError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { BindOptions } from '../onnx/bind.ts';
import { bind } from '../onnx/bind.ts';
import { addInput, cloneGraph } from '../onnx/compose.ts';
import { Builder } from '../onnx/builder.ts';
import { isFloat, sizeOf } from '../onnx/dtype.ts';
import type { Constant, Graph, GraphInput } from '../onnx/graph.ts';
import { constantBytes, isReference } from '../onnx/graph.ts';
import { prune } from '../onnx/prune.ts';
import { constantData, readGraph } from '../onnx/read.ts';
import { isInside, serialise, weightsFolder } from '../onnx/write.ts';
import { differentiate as differentiateGraph } from './differentiate.ts';

export interface DifferentiateFileOptions {
  /** Path of an .onnx file, or a graph that was read already (it is left as it is). */
  readonly model: string | Graph;
  /** The output to differentiate, or several, whose (weighed) elements are summed. Any value inside the graph may be named too. */
  readonly of: string | readonly string[];
  /** The input or inputs to differentiate with respect to. */
  readonly wrt: string | readonly string[];
  /** Sizes of named dimensions, such as { batch_size: 1 }. */
  readonly dims?: BindOptions['dims'];
  /** Shapes of inputs: what a model leaves open must be known, for a gradient is made for one shape. */
  readonly shapes?: BindOptions['shapes'];
  /** Inputs that are known beforehand and become constants, such as token ids or an empty cache. */
  readonly constants?: BindOptions['constants'];
  /**
   * How the elements of an output that has several are weighed. 'input' (the default) adds an input `<output>.cotangent` of the
   * output's shape, so that one file serves any choice; 'ones' sums them.
   */
  readonly weigh?: 'input' | 'ones';
}

export interface WriteOptions {
  /**
   * What happens to the weights. 'refer' (the default) leaves them in the model's own files, which must lie beside the new file or
   * below its folder, and takes no space. 'copy' makes a file that stands alone: with the weights inside, or, from 1 GiB on, in one
   * file `<name>.data` beside it.
   */
  readonly weights?: 'refer' | 'copy';
}

/** A model that computes outputs and their gradient. */
export interface Derived {
  /** The graph: bound, with the gradients among its outputs. */
  readonly graph: Graph;
  /** Inputs of the new model: the old ones that are still needed, and one for each weighed output. */
  readonly inputs: readonly GraphInput[];
  /** The outputs that were differentiated; they are computed too. */
  readonly outputs: readonly string[];
  /** For each input in `wrt`, the output that holds its gradient, of the same shape and type. */
  readonly gradients: Readonly<Record<string, string>>;
  /** For each output of more than one element, the input that weighs its elements; none where they are summed. */
  readonly cotangents: Readonly<Record<string, string>>;
  /**
   * The model as bytes, for `InferenceSession.create`. Its weights stay in their files: pass
   * `extra: { session: { model_external_initializers_file_folder_path: folder } }`.
   */
  readonly bytes: () => Uint8Array;
  /** The folder that weights are referred to from in `bytes()`; undefined where there are none in files. */
  readonly folder: string | undefined;
  /**
   * Writes the model as a standard ONNX file.
   *
   * @returns every file that was written, the model first
   * @throws LensError where the folder is missing, or weights that are referred to lie elsewhere
   */
  readonly write: (path: string, options?: WriteOptions) => readonly string[];
}

/**
 * Derives from an ONNX model one that also computes the gradient of its outputs with respect to inputs: standard ONNX nodes, which
 * every runtime runs.
 *
 * @example
 * const derived = differentiate({ model: 'model.onnx', of: 'logits', wrt: 'pixel_values', dims: { batch_size: 1 } });
 * derived.write('gradient.onnx');
 * // inputs:  pixel_values, logits.cotangent
 * // outputs: logits, pixel_values.gradient
 *
 * @throws LensError for a name that is not there, a dimension without a size, or an operator without a gradient rule
 */
export function differentiate(options: DifferentiateFileOptions): Derived {
  const { model, dims = {}, shapes = {}, constants = {}, weigh = 'input' } = options;
  const graph = typeof model === 'string' ? readGraph(model) : cloneGraph(model);
  const of = listed(options.of);
  const wrt = listed(options.wrt);
  if (of.length === 0 || wrt.length === 0) {
    throw new LensError('there is nothing to differentiate', 'Name an output in `of` and an input in `wrt`');
  }
  checkNames(graph, of, wrt, options);
  // What only other outputs need must neither be bound nor understood.
  graph.outputs = [...of];
  prune(graph);
  dropUnread(graph, [...wrt, ...Object.keys(constants)]);
  checkShapes(graph, options);
  bind(graph, { dims, shapes, constants: Object.fromEntries(stillInputs(graph, constants)) });
  for (const name of of) {
    const { dtype } = graph.type(name);
    if (!isFloat(dtype)) {
      throw new LensError(`output "${name}" is of type ${dtype}, which has no gradient`, 'Take a real-valued output');
    }
  }
  const cotangents: Record<string, string> = {};
  const objectives = of.map((value) => {
    const { dtype, dims: shape } = graph.type(value);
    if (weigh === 'ones') return { value, cotangent: ones(graph, value) };
    if (sizeOf(shape) === 1) return { value };
    cotangents[value] = addInput(graph, free(graph, `${value}.cotangent`), dtype, shape);
    return { value, cotangent: cotangents[value] };
  });
  const found = differentiateGraph(graph, { of: objectives, wrt });
  const b = new Builder(graph, 'gradient');
  const gradients = Object.fromEntries(
    wrt.map((name) => [name, b.op('Identity', [found[name]!], {}, { as: free(graph, `${name}.gradient`) })]),
  );
  graph.outputs = [...new Set([...of, ...Object.values(gradients)])];
  prune(graph);
  dropUnread(graph, [...wrt, ...Object.values(cotangents)]);
  return {
    graph,
    inputs: graph.inputs,
    outputs: of,
    gradients,
    cotangents,
    bytes: () => serialise(graph),
    folder: weightsFolder(graph),
    write: (path, { weights = 'refer' } = {}) =>
      weights === 'copy' ? writeAlone(graph, path) : writeBeside(graph, path),
  };
}

const listed = (names: string | readonly string[]): readonly string[] =>
  typeof names === 'string' ? [names] : [...names];

const ones = (graph: Graph, like: string): string => {
  const b = new Builder(graph, 'gradient');
  return b.expand(b.scalar(1, like), graph.dims(like));
};

/** This name, or one like it that nothing in the graph has. */
function free(graph: Graph, name: string): string {
  let result = name;
  for (let i = 2; graph.types.has(result); i++) result = `${name}.${String(i)}`;
  return result;
}

/** Inputs that nothing reads any more would have to be fed all the same. */
function dropUnread(graph: Graph, keep: readonly string[]): void {
  const read = new Set([
    ...keep,
    ...graph.outputs,
    ...graph.nodes.flatMap((node) => namesIn(node.inputs, node.attributes)),
  ]);
  graph.inputs = graph.inputs.filter(({ name }) => read.has(name));
}

/** Names that a node reads, inside its subgraphs too. */
function namesIn(inputs: readonly string[], attributes: Graph['nodes'][number]['attributes']): string[] {
  const inner = Object.values(attributes).flatMap((attribute) =>
    attribute.kind === 'graph'
      ? [...attribute.value.outputs, ...attribute.value.nodes.flatMap((node) => namesIn(node.inputs, node.attributes))]
      : [],
  );
  return [...inputs, ...inner];
}

const stillInputs = (graph: Graph, constants: Readonly<Record<string, Constant>>): [string, Constant][] =>
  Object.entries(constants).filter(([name]) => graph.inputs.some((input) => input.name === name));

function checkNames(
  graph: Graph,
  of: readonly string[],
  wrt: readonly string[],
  { shapes = {}, constants = {}, dims = {} }: DifferentiateFileOptions,
): void {
  const file = graph.file === undefined ? 'the model' : `"${graph.file}"`;
  const inputs = graph.inputs.map(({ name }) => name);
  const values = new Set([...inputs, ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const missing = (kind: string, name: string, known: readonly string[]): LensError => {
    const close = nearest(name, known);
    const hint = close === undefined ? '' : `Did you mean "${close}"? `;
    return new LensError(`${file} has no ${kind} "${name}"`, `${hint}Its ${kind}s are: ${known.join(', ')}`);
  };
  for (const name of of) if (!values.has(name)) throw missing('output', name, graph.outputs);
  for (const name of wrt) if (!inputs.includes(name)) throw missing('input', name, inputs);
  for (const name of Object.keys({ ...shapes, ...constants })) {
    if (!inputs.includes(name)) throw missing('input', name, inputs);
  }
  for (const name of wrt) {
    const input = graph.inputs.find((candidate) => candidate.name === name);
    if (input !== undefined && !isFloat(input.dtype)) {
      const real = graph.inputs.flatMap((candidate) => (isFloat(candidate.dtype) ? [candidate.name] : []));
      throw new LensError(
        `input "${name}" is of type ${input.dtype}, and there is no gradient with respect to whole numbers`,
        real.length === 0 ? 'The model has no real-valued input' : `Real-valued inputs are: ${real.join(', ')}`,
      );
    }
  }
  const open = [...new Set(graph.inputs.flatMap(({ dims: shape }) => shape.filter((dim) => typeof dim === 'string')))];
  for (const name of Object.keys(dims)) if (!open.includes(name)) throw missing('open dimension', name, open);
  for (const { name, dims: shape } of graph.inputs) {
    const given = shapes[name];
    if (given === undefined) continue;
    const fits = given.length === shape.length && shape.every((dim, i) => typeof dim === 'string' || dim === given[i]);
    if (!fits) {
      throw new LensError(
        `input "${name}" has the shape [${shape.join(', ')}], which [${given.join(', ')}] does not fit`,
        'Give as many sizes as it has dimensions, and keep those that are fixed',
      );
    }
  }
}

/** A gradient is made for one shape. */
function checkShapes(graph: Graph, { shapes = {}, constants = {}, dims = {} }: DifferentiateFileOptions): void {
  for (const { name, dims: shape } of graph.inputs) {
    if (shapes[name] !== undefined || constants[name] !== undefined) continue;
    if (shape.every((dim) => typeof dim === 'number' || dims[dim] !== undefined)) continue;
    const example = shape.map((dim) => (typeof dim === 'number' ? dim : (dims[dim] ?? 1))).join(',');
    throw new LensError(
      `input "${name}" has the open shape [${shape.join(', ')}], and a gradient is made for one shape`,
      `Say which in \`shapes\`, on the command line as --shape ${name}=${example}`,
    );
  }
}

/** From this many bytes on, copied weights lie in a file of their own: protobuf ends at 2 GB. */
const INSIDE_LIMIT = 2 ** 30;

const folderOf = (path: string): string => {
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) {
    throw new LensError(`cannot write "${path}": the folder "${folder}" does not exist`, 'Create the folder first');
  }
  return realpathSync(folder);
};

/** Writes a file that no crash leaves half done. */
function writeWhole(path: string, bytes: Uint8Array): void {
  const making = `${path}.${String(process.pid)}.part`;
  try {
    writeFileSync(making, bytes);
    renameSync(making, path);
  } catch (cause) {
    rmSync(making, { force: true });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LensError(`cannot write "${path}": ${reason}`, 'Check that you may write there', { cause });
  }
}

function protectSources(graph: Graph, ...targets: readonly string[]): void {
  const sources = new Set([...graph.constants.values()].flatMap((c) => (isReference(c) ? [c.data.file] : [])));
  if (graph.file !== undefined && existsSync(graph.file)) sources.add(realpathSync(graph.file));
  for (const target of targets) {
    if (existsSync(target) && sources.has(realpathSync(target))) {
      throw new LensError(`"${target}" is a file of the model itself`, 'Choose another name to write to');
    }
  }
}

function writeBeside(graph: Graph, path: string): readonly string[] {
  const folder = folderOf(path);
  protectSources(graph, path);
  const linked = new Map<string, string>();
  const written = [path];
  const copy = cloneGraph(graph);
  for (const [name, constant] of graph.constants) {
    if (!isReference(constant) || isInside(constant.data.file, folder)) continue;
    // Weights that a link leads out of the folder (the Hub's cache): a hard link beside the model is no such link and takes no space.
    const file = linked.get(constant.data.file) ?? hardLink(constant.data.file, folder, path);
    if (!linked.has(constant.data.file)) written.push(file);
    linked.set(constant.data.file, file);
    copy.setConstant(name, { ...constant, data: { ...constant.data, file } });
  }
  writeWhole(path, serialise(copy, folder));
  return written;
}

/** A hard link to a weights file that is reached from `folder` by a symbolic link. */
function hardLink(file: string, folder: string, path: string): string {
  const target = join(folder, `${basename(path, extname(path))}.${basename(file)}`);
  try {
    if (!existsSync(target)) linkSync(file, target);
    const [source, link] = [statSync(file), statSync(target)];
    if (source.ino !== link.ino || source.dev !== link.dev) throw new Error(`"${target}" is another file`);
    return target;
  } catch (cause) {
    throw new LensError(
      `the weights of the model lie in "${file}", outside the folder "${folder}" that onnxruntime may read`,
      'Write to the folder of the model, or copy the weights (weights: "copy", --copy-weights)',
      { cause },
    );
  }
}

function writeAlone(graph: Graph, path: string): readonly string[] {
  const folder = folderOf(path);
  const copy = cloneGraph(graph);
  const references = [...graph.constants].filter(([, constant]) => isReference(constant));
  const total = references.reduce((sum, [, constant]) => sum + constantBytes(constant), 0);
  if (total < INSIDE_LIMIT) {
    protectSources(graph, path);
    for (const [name, constant] of references) copy.setConstant(name, { ...constant, data: constantData(constant) });
    writeWhole(path, serialise(copy, folder));
    return [path];
  }
  const data = join(folder, `${basename(path)}.data`);
  protectSources(graph, path, data);
  const ranges = copyRanges(references, data);
  for (const [name, constant] of references) {
    copy.setConstant(name, {
      ...constant,
      data: { file: data, offset: ranges.get(name)!, length: constantBytes(constant) },
    });
  }
  writeWhole(path, serialise(copy, folder));
  return [path, data];
}

/** Offsets in external data are multiples of a page, so that a runtime can map it into memory. */
const PAGE = 4096;
const CHUNK = 1 << 24;

/** Copies the bytes of constants one after the other, a piece at a time. @returns where each begins */
function copyRanges(references: readonly (readonly [string, Constant])[], data: string): Map<string, number> {
  const offsets = new Map<string, number>();
  const buffer = new Uint8Array(CHUNK);
  const target = openSync(data, 'w');
  try {
    let at = 0;
    for (const [name, constant] of references) {
      if (!isReference(constant)) continue;
      const { file, offset, length } = constant.data;
      const source = openSync(file, 'r');
      try {
        for (let done = 0; done < length;) {
          const got = readSync(source, buffer, 0, Math.min(CHUNK, length - done), offset + done);
          if (got === 0) throw new LensError(`the weights file "${file}" is cut off`, 'Download the model again');
          writeSync(target, buffer, 0, got, at + done);
          done += got;
        }
      } finally {
        closeSync(source);
      }
      offsets.set(name, at);
      at = Math.ceil((at + length) / PAGE) * PAGE;
    }
  } catch (error) {
    rmSync(data, { force: true });
    throw error;
  } finally {
    closeSync(target);
  }
  return offsets;
}
