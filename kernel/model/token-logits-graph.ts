import { addInput, append, Builder, gatherLate, Graph, prune } from '../onnx/index.ts';
import { DECODER } from './files.ts';
import { boundDecoder, featureInput, spliced } from './score-graph.ts';
import type { ScoreShape, ScoreSources } from './score-graph.ts';

/**
 * Logits of a few ids of the vocabulary at many places of the sequence: of the output projection only their columns are computed, where its weight
 * is a stored matrix.
 *
 * Inputs: `features` [1, rows, width], `text/i` as in the score graph, `places` [p] in the sequence, `vocabulary` [u] ids, int64.
 * Output: `logits` [1, p, u].
 */
export function buildTokenLogitsGraph(sources: ScoreSources, shape: ScoreShape): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph, 'logits');
  const sequence = spliced(b, shape, featureInput(b, shape));
  const decoder = boundDecoder(sources[DECODER]!, graph.dims(sequence), shape);
  const chosen = { places: shape.places!, vocabulary: shape.vocabulary! };
  for (const [name, count] of Object.entries(chosen)) {
    addInput(graph, name, 'int64', [count]);
    addInput(decoder, name, 'int64', [count]);
  }
  const logits = gatherLate(decoder, gatherLate(decoder, 'logits', 'places'), 'vocabulary', 2);
  const feeds = { inputs_embeds: sequence, places: 'places', vocabulary: 'vocabulary' };
  const outputs = append(graph, { graph: decoder, prefix: 'decoder/', feeds });
  graph.outputs = [b.op('Identity', [outputs[logits]!], {}, { as: 'logits' })];
  prune(graph);
  return graph;
}
