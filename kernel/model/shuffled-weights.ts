import { constants as flags } from 'node:fs';
import { copyFile, mkdir, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { LensError } from '../errors.ts';
import { isReference, producers, readGraph, sizeOf } from '../onnx/index.ts';
import type { Constant, FileRange, Graph, Node } from '../onnx/index.ts';
import type { DtypeChoice } from '../hub/dtype.ts';
import { EMBED, modelGraphFiles } from './files.ts';

/** Which inputs of an operator may be weights. Sums, norms and tables of positions keep their values: they are a part of the architecture. */
const WEIGHT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  MatMul: [0, 1],
  Gemm: [0, 1],
  Conv: [1],
  ConvTranspose: [1],
  MatMulNBits: [1],
  MatMulInteger: [0, 1],
  DynamicQuantizeMatMul: [1],
  GatherBlockQuantized: [0],
};

/** What passes a weight on as it is, in another type or layout. */
const PASSES_ON: ReadonlySet<string> = new Set(['DequantizeLinear', 'Transpose', 'Cast', 'Reshape', 'Identity']);

/**
 * Copies a model and shuffles the values of each of its weight tensors: the same architecture, tokenizer and distribution of weights, and nothing
 * learnt. Any model of the layout will do, with weights of any type: the bytes of the copies are exchanged where they lie.
 *
 * @param to an empty folder; it takes as much room as the model
 * @param dtype which of the model's files, as `openModel`
 * @returns how many tensors were shuffled
 * @throws LensError where a graph's weights cannot be found
 */
export async function shuffleWeights(
  folder: string,
  to: string,
  { seed = 0, dtype }: { readonly seed?: number; readonly dtype?: DtypeChoice | undefined } = {},
): Promise<number> {
  for (const name of await readdir(folder)) {
    const source = path.join(folder, name);
    if ((await stat(source)).isFile()) await copyFile(source, path.join(to, name), flags.COPYFILE_FICLONE);
  }
  const random = xoroshiro128plus(Math.trunc(seed) | 0);
  const below = (n: number) => uniformInt(random, 0, n - 1);
  let count = 0;
  for (const { graph, files } of await modelGraphFiles(folder, dtype)) {
    for (const { path: name } of files) {
      const target = path.join(to, name);
      await mkdir(path.dirname(target), { recursive: true });
      await copyFile(path.join(folder, name), target, flags.COPYFILE_FICLONE);
    }
    const weights = weightsOf(readGraph(path.join(to, files[0]!.path)), graph === EMBED);
    if (weights.length === 0) {
      throw new LensError(
        `no weights were found in ${graph} of the model in "${folder}"`,
        'Its operators are not known to the check with shuffled weights: leave that check out',
      );
    }
    for (const weight of weights) await shuffle(weight, below);
    count += weights.length;
  }
  return count;
}

/** Every large constant that an operator takes as a weight, once; those of an embedding as well. */
function weightsOf(graph: Graph, embedding: boolean): (Constant & { readonly data: FileRange })[] {
  const makers = producers(graph);
  const found = new Map<string, Constant & { readonly data: FileRange }>();
  const inputsOf = (node: Node) => (node.op === 'Gather' && embedding ? [0] : (WEIGHT_INPUTS[node.op] ?? []));
  for (const node of graph.nodes) {
    for (const input of inputsOf(node)) {
      let name = node.inputs[input];
      while (name !== undefined && name !== '') {
        const constant = graph.constants.get(name);
        if (constant !== undefined) {
          if (isReference(constant) && constant.dims.length > 1) found.set(name, constant);
          break;
        }
        const maker = makers.get(name);
        name = maker !== undefined && PASSES_ON.has(maker.op) ? maker.inputs[0] : undefined;
      }
    }
  }
  return [...found.values()];
}

/** Views of bytes as elements of a size, in bytes. */
const ELEMENTS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const;

/** Fisher and Yates' shuffle of a tensor's elements in its file; of whole bytes where an element is smaller. */
async function shuffle(
  { dims, data: { file, offset, length } }: Constant & { readonly data: FileRange },
  below: (n: number) => number,
): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const bytes = new Uint8Array(length);
    await handle.read(bytes, 0, length, offset);
    const size = Math.max(1, Math.floor(length / sizeOf(dims))) as keyof typeof ELEMENTS;
    const values = new ELEMENTS[size](bytes.buffer);
    for (let i = values.length - 1; i > 0; i--) {
      const j = below(i + 1);
      const value = values[i]!;
      values[i] = values[j]!;
      values[j] = value;
    }
    await handle.write(bytes, 0, length, offset);
  } finally {
    await handle.close();
  }
}
