import { differentiate, lowerPath } from '../autodiff/index.ts';
import type { Objective } from '../autodiff/index.ts';
import {
  addInput,
  append,
  bind,
  Builder,
  computeInFloat32,
  constantOf,
  gatherLate,
  Graph,
  int,
  prune,
  readGraph,
} from '../onnx/index.ts';
import type { Constant } from '../onnx/index.ts';
import { emptyCacheDims } from './empty-cache.ts';
import type { CacheSizes } from './empty-cache.ts';
import { DECODER } from './files.ts';
import { hideLaterTokens } from './prompt-mask.ts';
import type { Run } from './sequence.ts';
import { appendVision } from './vision-graph.ts';
import { planKey } from './vision-plan.ts';
import type { VisionPlan } from './vision-plan.ts';

/** Where the graph begins: a mask over the image, the views' pixels, or the feature rows. */
export type ScoreInput = 'mask' | 'pixels' | 'features';

/** What a graph gives of the inside of the model, where it is not a score of a mask: see the file of each. */
export type Reading = 'answer-attention' | 'attention' | 'token-logits' | 'token-places' | 'vision-layer';

/** Everything that a score graph depends on, beside the model's files. */
export interface ScoreShape {
  readonly reads?: Reading;
  /** Of a reading: which block of the encoder, or how many places and ids there are. */
  readonly layer?: number;
  readonly places?: number;
  readonly vocabulary?: number;
  readonly from: ScoreInput;
  /** With the gradient with respect to `from`, or log p alone. */
  readonly gradient: boolean;
  readonly batch: number;
  /** Of the mask; of no matter for other inputs. */
  readonly maskRows: number;
  readonly maskCols: number;
  readonly plan: VisionPlan;
  /** The sequence: text and features of the image, alternating. */
  readonly runs: readonly Run[];
  /** Of an embedding. */
  readonly width: number;
  /** Number of answer tokens. */
  readonly answer: number;
  /** Position ids of the whole sequence, one list for each axis. */
  readonly positions: readonly (readonly number[])[];
  /** Length of a prompt whose tokens see each other in both directions; undefined where the decoder is causal by itself. */
  readonly prefix?: number | undefined;
  /** What config.json says of the key-value cache, for decoders that leave its shape open. */
  readonly cacheSizes?: CacheSizes;
  /** Further inputs of the decoder: one number for each token of the sequence. */
  readonly tokenInputs: Readonly<Record<string, readonly number[]>>;
}

/** Files of the graphs that a score graph is composed of, by their stems. */
export type ScoreSources = Readonly<Record<string, string>>;

/** Tells one shape from another. */
export function shapeKey({ plan, ...numbers }: ScoreShape): string {
  return JSON.stringify([numbers, planKey(plan)]);
}

/**
 * Composes the one graph that scores an answer: mask → up-sampling and blend → vision encoders → feature rows, spliced between
 * the text's embeddings → decoder, teacher-forced, no cache → logits at the answer's positions only → log p of each answer
 * token → gradient of Σ_t w_t · log p_t. Weights stay in the model's files.
 *
 * Inputs (b batch, v each stack's name, n its views, t answer tokens):
 * - from 'mask': `mask` [b, rows, cols]; for each stack `image/v`, `baseline/v` [1, n, 3, h, w], `noise/v` [b, n, 3, h, w],
 *   `up-rows/v` [n, h, rows], `up-cols/v` [n, cols, w] (without n where that is 1); the views' pixels are
 *   `baseline + M·(image − baseline) + noise` with `M = up-rows · mask · up-cols`
 * - from 'pixels': `pixels/v` [b, n, 3, h, w]; from 'features': `features` [b, rows, width]
 * - `text/i` [1, length, width]: embeddings of the i-th stretch of text of the prompt and the answer
 * - `positions` [t]: where in the sequence each answer token is predicted; `ids` [t]: the answer tokens, int64
 * - `weights` [b, t] and `odds` [b, 1], with the gradient only: the score is Σ_t w_t · (log p_t − log(1 − odds · p_t))
 *
 * Outputs: `logp` [b, t], and with the gradient `gradient` (of the mask's or the features' shape) or `gradient/v` (of the pixels').
 */
export function buildScoreGraph(sources: ScoreSources, shape: ScoreShape): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph, 'score');
  if (shape.from === 'mask') addInput(graph, 'mask', 'float32', [shape.batch, shape.maskRows, shape.maskCols]);
  const features = shape.from === 'features' ? featureInput(b, shape) : appendVision(b, sources, shape);
  const { logp } = appendAnswer(b, sources, shape, features);
  graph.outputs = [logp];
  if (shape.gradient) {
    const wrt = shape.from === 'pixels' ? shape.plan.stacks.map(({ name }) => `pixels/${name}`) : [shape.from];
    const gradients = differentiate(graph, { of: [weightedScore(b, shape, logp)], wrt });
    for (const name of wrt) {
      graph.outputs.push(b.op('Identity', [gradients[name]!], {}, { as: name.replace(/^[^/]*/, 'gradient') }));
    }
  }
  prune(graph);
  return graph;
}

/**
 * What is differentiated: Σ_t w_t · (log p_t − log(1 − odds · p_t)); declares `weights` [b, t] and `odds` [b, 1] as inputs.
 * @returns log p, and ∂score/∂log p
 */
export function weightedScore(b: Builder, { batch, answer }: ScoreShape, logp: string): Objective {
  const weights = addInput(b.graph, 'weights', 'float32', [batch, answer]);
  const odds = addInput(b.graph, 'odds', 'float32', [batch, 1]);
  const steepness = b.sub(b.scalar(1, logp), b.mul(odds, b.op('Exp', [logp])));
  return { value: logp, cotangent: b.div(weights, steepness) };
}

/** Declares the feature rows as an input: [batch, rows, width]. */
export function featureInput(b: Builder, { batch, plan, width }: ScoreShape): string {
  return addInput(b.graph, 'features', 'float32', [batch, plan.rows, width]);
}

/**
 * From the feature rows to log p of each answer token, [batch, answer]; declares the inputs for it.
 * @param read may rewrite the bound decoder before it is joined to the graph, and names those of its values that are wanted too
 */
export function appendAnswer(
  b: Builder,
  sources: ScoreSources,
  shape: ScoreShape,
  features: string,
  read: (decoder: Graph) => readonly string[] = () => [],
): { readonly logp: string; readonly values: readonly string[] } {
  const { graph } = b;
  const { batch, answer } = shape;
  const sequence = spliced(b, shape, features);
  addInput(graph, 'positions', 'int64', [answer]);
  addInput(graph, 'ids', 'int64', [answer]);
  const decoder = boundDecoder(sources[DECODER]!, graph.dims(sequence), shape);
  // For a vocabulary of 150,000 the output projection of a whole prompt would cost more than all else.
  addInput(decoder, 'positions', 'int64', [answer]);
  // A fused attention hides its queries from the gathering.
  if (shape.gradient) lowerPath(decoder, { of: [{ value: 'logits' }], wrt: ['inputs_embeds'] });
  decoder.outputs.push(...read(decoder));
  gatherLate(decoder, 'logits', 'positions');
  const outputs = append(graph, {
    graph: decoder,
    prefix: 'decoder/',
    feeds: { inputs_embeds: sequence, positions: 'positions' },
  });
  const [logits, ...values] = decoder.outputs.map((output) => outputs[output]!);

  const ids = b.op('Expand', [b.reshape('ids', [1, answer, 1]), b.ints([batch, answer, 1])]);
  const all = b.op('LogSoftmax', [logits!], { axis: int(-1) });
  const chosen = b.op('GatherElements', [all, ids], { axis: int(2) });
  return { logp: b.op('Reshape', [chosen, b.ints([batch, answer])], {}, { as: 'logp' }), values };
}

/** The embeddings of the whole sequence: text, with the feature rows in order in the image's places. */
export function spliced(b: Builder, { runs, batch, width }: ScoreShape, features: string): string {
  let texts = 0;
  let row = 0;
  const whole = b.dims(features)[1];
  const parts = runs.map(({ kind, length }) => {
    if (kind === 'image') {
      row += length;
      return length === whole ? features : b.slice(features, 1, row - length, length);
    }
    const name = addInput(b.graph, `text/${texts++}`, 'float32', [1, length, width]);
    return batch === 1 ? name : b.op('Expand', [name, b.ints([batch, length, width])]);
  });
  return parts.length === 1 ? parts[0]! : b.op('Concat', parts, { axis: int(1) });
}

/** A decoder for one whole sequence: nothing cached before it, and no cache made of it. */
export function boundDecoder(
  file: string,
  embeddings: readonly number[],
  { batch, positions, tokenInputs, cacheSizes = {}, prefix }: ScoreShape,
): Graph {
  const graph = readGraph(file);
  computeInFloat32(graph);
  graph.outputs = ['logits'];
  const length = embeddings[1]!;
  const repeated = (values: readonly number[]) => Array.from({ length: batch }, () => values).flat();
  const fixed: Record<string, (input: Graph['inputs'][number]) => Constant> = {
    attention_mask: ({ dtype }) => constantOf(dtype, [batch, length], new Array<number>(batch * length).fill(1)),
    position_ids: ({ dtype, dims }) =>
      constantOf(
        dtype,
        dims.length === 3 ? [positions.length, batch, length] : [batch, length],
        positions.flatMap(repeated),
      ),
    num_logits_to_keep: ({ dtype, dims }) => constantOf(dtype, dims as number[], [0]),
    use_cache_branch: ({ dims }) => constantOf('bool', dims as number[], [0]),
  };
  const constants: Record<string, Constant> = {};
  for (const input of graph.inputs) {
    const perToken = tokenInputs[input.name];
    if (input.name.startsWith('past_key_values.')) {
      constants[input.name] = constantOf(input.dtype, emptyCacheDims(input.dims, batch, cacheSizes), []);
    } else if (perToken !== undefined) {
      constants[input.name] = constantOf(input.dtype, [batch, length], repeated(perToken));
    } else if (fixed[input.name] !== undefined) constants[input.name] = fixed[input.name]!(input);
  }
  bind(graph, { constants, shapes: { inputs_embeds: embeddings } });
  if (prefix !== undefined) hideLaterTokens(graph, length, prefix);
  return graph;
}
