import { Tensor } from 'onnxruntime-node';
import { AbortError } from '../errors.ts';
import { emptyCacheDims } from './empty-cache.ts';
import type { CacheSizes } from './empty-cache.ts';
import { mostLikely } from './log-softmax.ts';
import type { Positions } from './sequence.ts';
import { float32, floats, int64 } from './session.ts';
import type { Session, Tensors, ValueInfo } from './session.ts';

export interface Generation {
  readonly ids: readonly number[];
  /** log p of each id. */
  readonly logp: Float32Array;
  readonly stopped: 'end' | 'length';
}

export interface GenerateOptions {
  /** Ids that end an answer; they are not part of it. */
  readonly endTokens: ReadonlySet<number>;
  readonly maxNewTokens: number;
  /** Position ids of the prompt. */
  readonly positions: Positions;
  /** Further inputs of the decoder with one number for each token: those of the prompt, and that of a token of the answer. */
  readonly tokenInputs: Readonly<Record<string, { readonly prompt: readonly number[]; readonly answer: number }>>;
  /** What config.json says of the key-value cache. */
  readonly cacheSizes: CacheSizes;
  readonly signal?: AbortSignal | undefined;
  readonly onToken?: ((count: number) => void) | undefined;
}

/**
 * Greedy decoding with a key-value cache.
 * @param prompt embeddings of the whole prompt, [length, width]
 * @param embed embedding of one token, [width]
 * @throws AbortError between two steps once `signal` is aborted
 */
export async function generate(
  decoder: Session,
  prompt: { readonly data: Float32Array; readonly length: number },
  embed: (id: number) => Promise<Float32Array>,
  options: GenerateOptions,
): Promise<Generation> {
  const { endTokens, maxNewTokens, positions, tokenInputs, signal, onToken } = options;
  const width = prompt.data.length / prompt.length;
  const ids: number[] = [];
  const logp: number[] = [];
  let cache = emptyCache(decoder, options.cacheSizes);
  let input = prompt.data;
  let past = 0;
  while (ids.length < maxNewTokens) {
    // A turn of the event loop, in which a request to stop can arrive: runs block it.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted) throw new AbortError();
    const length = input.length / width;
    const feeds = decoderFeeds(decoder, {
      input,
      length,
      past,
      axes: positions.axes.map((axis) => (past === 0 ? axis : [positions.next + past - axis.length])),
      tokenInputs,
      logits: 1,
      cache,
    });
    const results = await decoder.run(feeds);
    const logits = floats(results, 'logits');
    const vocabulary = results.logits!.dims.at(-1)!;
    const next = mostLikely(logits, logits.length - vocabulary, vocabulary);
    if (endTokens.has(next.id)) return { ids, logp: Float32Array.from(logp), stopped: 'end' };
    ids.push(next.id);
    logp.push(next.logp);
    onToken?.(ids.length);
    cache = nextCache(results);
    past += length;
    input = await embed(next.id);
  }
  return { ids, logp: Float32Array.from(logp), stopped: 'length' };
}

/** One step of a decoder. */
export interface DecoderStep {
  /** Embeddings [length, width]. */
  readonly input: Float32Array;
  readonly length: number;
  /** How many tokens came before. */
  readonly past: number;
  /** Position ids, one list for each axis. */
  readonly axes: readonly (readonly number[])[];
  readonly tokenInputs: GenerateOptions['tokenInputs'];
  /** How many positions are to have logits, where the decoder can be told: 0 for all. */
  readonly logits: number;
  readonly cache: Tensors;
}

/** What a decoder is given in one step, as far as it takes it. */
export function decoderFeeds(decoder: Session, step: DecoderStep): Tensors {
  const { input, length, past, axes, tokenInputs, logits, cache } = step;
  const total = past + length;
  return {
    inputs_embeds: float32(input, [1, length, input.length / length]),
    ...cache,
    ...optional(decoder, 'attention_mask', () => int64(new Array<number>(total).fill(1), [1, total])),
    ...optional(decoder, 'position_ids', ({ shape }) =>
      int64(axes.flat(), shape.length === 3 ? [axes.length, 1, length] : [1, length]),
    ),
    ...perToken(decoder, tokenInputs, past === 0),
    ...optional(decoder, 'num_logits_to_keep', () => int64([logits], [])),
    ...optional(decoder, 'use_cache_branch', () => new Tensor('bool', [past > 0], [1])),
  };
}

const PAST = /^past_key_values\./;

/** A cache that holds nothing. */
function emptyCache(decoder: Session, sizes: CacheSizes): Tensors {
  const entries = [...decoder.inputs].filter(([name]) => PAST.test(name));
  return Object.fromEntries(entries.map(([name, info]) => [name, emptyTensor(info, sizes)]));
}

function emptyTensor({ type, shape }: ValueInfo, sizes: CacheSizes): Tensor {
  const dims = emptyCacheDims(shape, 1, sizes);
  return type === 'float16' ? new Tensor('float16', new Uint16Array(0), dims) : new Tensor('float32', [], dims);
}

function nextCache(results: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(results)
      .filter(([name]) => name.startsWith('present.'))
      .map(([name, tensor]) => [name.replace('present.', 'past_key_values.'), tensor]),
  );
}

function optional(session: Session, name: string, make: (info: ValueInfo) => Tensor): Tensors {
  const info = session.inputs.get(name);
  return info === undefined ? {} : { [name]: make(info) };
}

function perToken(decoder: Session, inputs: GenerateOptions['tokenInputs'], first: boolean): Tensors {
  const tensors = Object.entries(inputs).map(([name, { prompt, answer }]) => {
    const values = first ? prompt : [answer];
    return optional(decoder, name, () => int64(values, [1, values.length]));
  });
  return Object.assign({}, ...tensors) as Tensors;
}
