import os from 'node:os';
import { differentiate } from '../autodiff/index.ts';
import { LensError } from '../errors.ts';
import { Builder, findAttention, Graph, hasSoftmax, int, lowerAttention, prune, sizeOf } from '../onnx/index.ts';
import { appendAnswer, featureInput, weightedScore } from './score-graph.ts';
import type { ScoreShape, ScoreSources } from './score-graph.ts';
import { appendVision } from './vision-graph.ts';

/** What methods without attention there are, for messages. */
const OTHERS = 'Take a method that reads no attention, such as "grad-cam" or "tam"';

/** What matrices of all layers together may take of the machine's memory. */
const MEMORY_SHARE = 1 / 4;

/** The attention of one layer as a graph holds it. */
interface Layer {
  /** Probabilities: [batch, heads, tokens, tokens] in some arrangement. */
  readonly weights: string;
  /** Sequences side by side: the views of an encoder, 1 in a decoder. */
  readonly batch: number;
  readonly tokens: number;
  /** Name of the output. */
  readonly as: string;
}

/**
 * Attention matrices of every layer, found in the graphs by their structure, each the mean of its heads: what rollout and relevance read. With the
 * gradient, of the tokens' score S: the mean over the heads of (A ⊙ ∂S/∂A)⁺ in place of A.
 *
 * Inputs: those of the score graph from 'pixels', `weights` and `odds` with the gradient only. Outputs, i counting layers: `decoder-attention/i`
 * [1, sequence, sequence]; for each stack v of n views whose encoder has attention `vision-attention/v/i` [n, tokens, tokens]; and
 * `fusion-attention/i` [1, tokens, tokens] of the graph that fuses several encoders, if it has attention too.
 */
export function buildAttentionGraph(sources: ScoreSources, shape: ScoreShape): Graph {
  const { graph, b } = begun();
  const layers: Layer[] = [];
  const joined = (part: Graph, prefix: string, site: PartSite) => {
    layers.push(...attentionOf(part, site).map((layer) => ({ ...layer, weights: prefix + layer.weights })));
  };
  const features = appendVision(
    b,
    sources,
    shape,
    (encoder, { name, graph: file, views }, prefix) =>
      joined(encoder, prefix, {
        file: `the encoder "${file}"`,
        batch: views.length,
        prefix: `vision-attention/${name}`,
      }),
    (fusion, prefix) =>
      joined(fusion, prefix, { file: 'the graph that fuses the encoders', batch: 1, prefix: 'fusion-attention' }),
  );
  const { logp, values } = appendAnswer(b, sources, shape, features, (decoder) => {
    const found = decoderAttention(decoder, shape);
    layers.push(...found);
    return found.map(({ weights }) => weights);
  });
  // The decoder's have the names of the joined graph now.
  const encoders = layers.slice(0, layers.length - values.length);
  const all = [...encoders, ...values.map((weights, i) => ({ ...layers[encoders.length + i]!, weights }))];
  checkMemory(all);
  if (shape.gradient) {
    differentiate(graph, {
      of: [weightedScore(b, shape, logp)],
      wrt: all.map((layer) => layer.weights),
      also: (gradients, of) => {
        for (const layer of all) {
          const relevance = gradients.op('Relu', [gradients.mul(layer.weights, of[layer.weights]!)]);
          writeMean(gradients, relevance, layer);
        }
      },
    });
  } else for (const layer of all) writeMean(b, layer.weights, layer);
  graph.outputs = all.map(({ as }) => as);
  prune(graph);
  return graph;
}

/**
 * What each answer token attends to of the image, where it is predicted: of each decoder layer the mean of its heads.
 *
 * Inputs: those of the score graph from 'features'. Outputs: `decoder-attention/i` [answer, image tokens].
 */
export function buildAnswerAttentionGraph(sources: ScoreSources, shape: ScoreShape): Graph {
  const { graph, b } = begun();
  let layers: readonly Layer[] = [];
  const { values } = appendAnswer(b, sources, shape, featureInput(b, shape), (decoder) => {
    layers = decoderAttention(decoder, shape);
    return layers.map(({ weights }) => weights);
  });
  const columns = imagePlaces(shape);
  const image = b.constant('int64', [columns.length], columns, 'image');
  layers.forEach((layer, i) => {
    const rows = b.op('Gather', [byHead(b, values[i]!, layer), 'positions'], { axis: int(2) });
    const mean = b.mean(b.op('Gather', [rows, image], { axis: int(3) }), [1]);
    graph.outputs.push(b.op('Reshape', [mean, b.ints([shape.answer, columns.length])], {}, { as: layer.as }));
  });
  graph.outputs = layers.map(({ as }) => as);
  prune(graph);
  return graph;
}

/** Where in the sequence the image tokens stand. */
export function imagePlaces({ runs }: Pick<ScoreShape, 'runs'>): number[] {
  const places: number[] = [];
  let at = 0;
  for (const { kind, length } of runs) {
    if (kind === 'image') for (let i = 0; i < length; i++) places.push(at + i);
    at += length;
  }
  return places;
}

function begun(): { readonly graph: Graph; readonly b: Builder } {
  const graph = new Graph();
  graph.opsets.set('', 18);
  return { graph, b: new Builder(graph, 'attention') };
}

function decoderAttention(decoder: Graph, { runs, batch }: ScoreShape): Layer[] {
  const site = { file: 'the decoder', batch, prefix: 'decoder-attention' };
  const layers = attentionOf(decoder, site);
  const sequence = runs.reduce((sum, { length }) => sum + length, 0);
  const other = layers.find(({ tokens }) => tokens !== sequence);
  if (layers.length > 0 && other === undefined) return layers;
  throw new LensError(
    other === undefined
      ? 'in the decoder’s graph there is no attention: no softmax of a product of queries and keys that multiplies values'
      : `the decoder’s attention is over ${other.tokens} tokens of ${sequence}`,
    OTHERS,
  );
}

interface PartSite {
  /** How messages call it. */
  readonly file: string;
  /** Sequences side by side. */
  readonly batch: number;
  /** Starts the names of the outputs. */
  readonly prefix: string;
}

/** Attention of one part of the model, its fused operators written out first. */
function attentionOf(part: Graph, { file, batch, prefix }: PartSite): Layer[] {
  lowerAttention(part);
  prune(part);
  const found = findAttention(part);
  if (found.length === 0 && hasSoftmax(part)) {
    throw new LensError(`the softmax in ${file} is not that of an attention between queries, keys and values`, OTHERS);
  }
  return found.map(({ weights }, i) => {
    const dims = part.dims(weights);
    const tokens = dims.at(-1)!;
    const heads = sizeOf(dims) / (batch * tokens * tokens);
    if (!Number.isInteger(heads)) {
      throw new LensError(
        `attention ${i} in ${file} has the shape [${dims.join(', ')}]: not each of its tokens attends to all of them`,
        OTHERS,
      );
    }
    return { weights, batch, tokens, as: `${prefix}/${i}` };
  });
}

/** [batch, heads, tokens, tokens]: whichever way the heads were put, they lie one after another. */
function byHead(b: Builder, matrices: string, { batch, tokens }: Layer): string {
  const heads = sizeOf(b.dims(matrices)) / (batch * tokens * tokens);
  return b.reshape(matrices, [batch, heads, tokens, tokens]);
}

function writeMean(b: Builder, matrices: string, layer: Layer): void {
  const { batch, tokens, as } = layer;
  b.op('Reshape', [b.mean(byHead(b, matrices, layer), [1]), b.ints([batch, tokens, tokens])], {}, { as });
}

function checkMemory(layers: readonly Layer[]): void {
  const bytes = layers.reduce((sum, { batch, tokens }) => sum + 4 * batch * tokens * tokens, 0);
  if (bytes <= os.totalmem() * MEMORY_SHARE) return;
  throw new LensError(
    `the attention of ${layers.length} layers over up to ${Math.max(...layers.map(({ tokens }) => tokens))} tokens takes ${(bytes / 2 ** 30).toFixed(1)} GiB`,
    'Take a smaller picture, or method "raw-attention", which reads the answer’s rows only',
  );
}
