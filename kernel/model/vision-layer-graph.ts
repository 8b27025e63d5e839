import { differentiate } from '../autodiff/index.ts';
import { LensError } from '../errors.ts';
import { blockOutputs, Builder, findAttention, Graph, lowerAttention, prune, sizeOf } from '../onnx/index.ts';
import { appendAnswer, weightedScore } from './score-graph.ts';
import type { ScoreShape, ScoreSources } from './score-graph.ts';
import { spatialMap } from './token-places-graph.ts';
import { appendVision } from './vision-graph.ts';

const OTHERS = 'Take "grad-cam", which reads the projected image features';

/** A value inside an encoder: what one of its blocks gives out. */
interface Block {
  readonly stack: string;
  readonly value: string;
  /** As [views, tokens, channels], or [views, channels, rows, cols] of a convolution. */
  readonly dims: readonly number[];
}

/**
 * What one block of each encoder gives out, and the gradient of the tokens' score with respect to it. Of a transformer the sum that ends the block
 * (`shape.layer`, negative from the end), found by structure; of an encoder without attention its last convolution.
 *
 * Inputs: those of the score graph from 'pixels', `weights` and `odds`. Outputs, for each stack v of n views: `features/v` and `gradient/v`
 * [n, tokens, channels], or [n, channels, rows, cols].
 */
export function buildVisionLayerGraph(sources: ScoreSources, shape: ScoreShape): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph, 'vision-layer');
  const blocks: Block[] = [];
  const features = appendVision(b, sources, shape, (encoder, { name, graph: file, input, views }, prefix) => {
    const block = chosenBlock(encoder, { file, input, views: views.length, layer: shape.layer! });
    blocks.push({ ...block, stack: name, value: prefix + block.value });
  });
  const { logp } = appendAnswer(b, sources, shape, features);
  const gradients = differentiate(graph, {
    of: [weightedScore(b, shape, logp)],
    wrt: blocks.map(({ value }) => value),
  });
  for (const { stack, value, dims } of blocks) {
    const outputs = { [`features/${stack}`]: value, [`gradient/${stack}`]: gradients[value]! };
    for (const [as, source] of Object.entries(outputs)) {
      graph.outputs.push(b.op('Reshape', [source, b.ints(dims)], {}, { as }));
    }
  }
  prune(graph);
  return graph;
}

interface EncoderSite {
  readonly file: string;
  readonly input: string;
  readonly views: number;
  readonly layer: number;
}

function chosenBlock(encoder: Graph, { file, input, views, layer }: EncoderSite): Omit<Block, 'stack'> {
  lowerAttention(encoder);
  prune(encoder);
  const attentions = findAttention(encoder);
  if (attentions.length === 0) {
    const map = spatialMap(encoder, encoder.outputs[0]!);
    if (map !== undefined) return { value: map, dims: encoder.dims(map) };
    throw new LensError(`in the encoder "${file}" there is neither an attention nor a convolution over a map`, OTHERS);
  }
  const blocks = blockOutputs(encoder, attentions, input);
  const value = blocks.at(layer);
  if (layer >= blocks.length || layer < -blocks.length) {
    throw new LensError(
      `the encoder "${file}" has no block ${layer}: it has ${blocks.length}`,
      `Give "layer" from 0 to ${blocks.length - 1}, or from -1 to ${-blocks.length} counted from the last`,
    );
  }
  if (value === undefined) {
    throw new LensError(
      `block ${layer} of the encoder "${file}" does not end in a sum, as a transformer’s does`,
      OTHERS,
    );
  }
  const tokens = encoder.dims(attentions.at(layer)!.weights).at(-1)!;
  return { value, dims: [views, tokens, sizeOf(encoder.dims(value)) / (views * tokens)] };
}
