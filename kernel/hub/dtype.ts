import { LensError } from '../errors.ts';
import { GRAPHS } from '../model/files.ts';
import type { GraphName } from '../model/files.ts';
import { didYouMean } from '../nearest.ts';
import { fileSize } from './file-size.ts';

/** Endings of a graph's file by data type, named as in transformers.js. */
export const DTYPES = {
  fp32: '',
  fp16: '_fp16',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
} as const;
export type Dtype = keyof typeof DTYPES;
/** One data type for all graphs, or one for each; a graph that is not named takes the default. */
export type DtypeChoice = Dtype | Readonly<Partial<Record<GraphName, Dtype>>>;

/** Those that round activations to 8 bits: they answer, but no useful gradient passes. */
const ROUNDED: readonly Dtype[] = ['q8', 'int8', 'uint8'];

const GiB = 2 ** 30;
/**
 * The default, for each graph on its own: the first data type that is there and whose files are within its limit. fp32 needs no
 * conversion at all; fp16 halves what is downloaded and computes the same to three digits; 4-bit weights change the model, and are
 * taken where even fp16 would be too much. All of these have gradients.
 */
const DEFAULTS: readonly { readonly dtype: Dtype; readonly most: number }[] = [
  { dtype: 'fp32', most: GiB },
  { dtype: 'fp16', most: 1.5 * GiB },
  { dtype: 'q4', most: Infinity },
  { dtype: 'q4f16', most: Infinity },
  { dtype: 'bnb4', most: Infinity },
  { dtype: 'fp16', most: Infinity },
  { dtype: 'fp32', most: Infinity },
  ...ROUNDED.map((dtype) => ({ dtype, most: Infinity })),
];

/** A file with its size in bytes. */
export interface SizedFile {
  readonly path: string;
  readonly size: number;
}

/** A graph in one data type: the .onnx file first, then the files of weights beside it. */
export interface GraphFiles<File extends SizedFile = SizedFile, Graph extends string = GraphName> {
  readonly graph: Graph;
  readonly dtype: Dtype;
  readonly files: readonly File[];
  /** Of all files together, in bytes. */
  readonly size: number;
}

/** Every graph in every data type that there is among `files`, whose paths are relative to the repository. */
export function graphFiles<File extends SizedFile, Graph extends string = GraphName>(
  files: readonly File[],
  graphs: readonly Graph[] = GRAPHS as readonly string[] as readonly Graph[],
): GraphFiles<File, Graph>[] {
  return graphs.flatMap((graph) =>
    (Object.keys(DTYPES) as Dtype[]).flatMap((dtype) => {
      const main = `onnx/${graph}${DTYPES[dtype]}.onnx`;
      const parts = files
        .filter(({ path }) => path.startsWith(main) && /^([._]data(_\d+)?)?$/.test(path.slice(main.length)))
        .sort((a, b) => a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
      if (parts[0]?.path !== main) return [];
      return [{ graph, dtype, files: parts, size: parts.reduce((sum, { size }) => sum + size, 0) }];
    }),
  );
}

/**
 * One data type for each graph.
 * @param available as `graphFiles` found them
 * @param id whose they are, for messages
 * @throws LensError where a graph is missing, or is not there in the data type asked for
 */
export function chosenGraphs<File extends SizedFile, Graph extends string = GraphName>(
  available: readonly GraphFiles<File, Graph>[],
  choice: DtypeChoice | undefined,
  id: string,
  graphs: readonly Graph[] = GRAPHS as readonly string[] as readonly Graph[],
): GraphFiles<File, Graph>[] {
  const absent = graphs.filter((graph) => available.every((each) => each.graph !== graph));
  if (absent.length > 0) {
    throw new LensError(
      `${id} has no ${absent.map((graph) => `onnx/${graph}.onnx`).join(', ')}: it is not a vision-language model in the ONNX layout`,
      'Look for a version of it with ONNX files, for instance of onnx-community',
    );
  }
  return graphs.map((graph) => {
    const forms = available.filter((each) => each.graph === graph);
    const wanted = typeof choice === 'string' ? choice : choice?.[graph as string as GraphName];
    if (wanted === undefined) {
      return DEFAULTS.flatMap(({ dtype, most }) =>
        forms.filter((each) => each.dtype === dtype && each.size <= most),
      )[0]!;
    }
    const found = forms.find(({ dtype }) => dtype === wanted);
    if (found !== undefined) return found;
    const others = forms.map(({ dtype, size }) => `${dtype} (${fileSize(size)})`).join(', ');
    throw new LensError(
      `${id} has no ${graph} in ${wanted}`,
      `It has ${others}. A data type can be given to each graph: ${graph}=${forms[0]!.dtype}`,
    );
  });
}

/** Whether no gradient passes through a graph in this data type. */
export function isRounded(dtype: Dtype): boolean {
  return ROUNDED.includes(dtype);
}

/**
 * A choice as the shell writes it: 'q4', or 'vision_encoder=fp16,decoder_model_merged=q4'.
 * @throws LensError naming what there is
 */
export function parseDtype(text: string): DtypeChoice {
  if (!text.includes('=')) return checkedDtype(text.trim());
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [graph = '', dtype = ''] = part.split('=').map((side) => side.trim());
      if ((GRAPHS as readonly string[]).includes(graph)) return [graph, checkedDtype(dtype)];
      throw new LensError(`there is no graph "${graph}"`, didYouMean(graph, GRAPHS, 'graphs'));
    }),
  );
}

/** @throws LensError unless every data type and graph of a choice exists */
export function checkDtype(choice: DtypeChoice | undefined): void {
  if (choice === undefined) return;
  const text =
    typeof choice === 'string'
      ? choice
      : Object.entries(choice)
          .map((pair) => pair.join('='))
          .join(',');
  if (text !== '') parseDtype(text);
}

function checkedDtype(text: string): Dtype {
  if (Object.hasOwn(DTYPES, text)) return text as Dtype;
  throw new LensError(`there is no data type "${text}"`, didYouMean(text, Object.keys(DTYPES), 'data types'));
}
