import { differentiate } from '../autodiff/index.ts';
import {
  addInput,
  append,
  bind,
  Builder,
  constantOf,
  gatherLate,
  Graph,
  int,
  prune,
  readGraph,
} from '../onnx/index.ts';
import type { Constant } from '../onnx/index.ts';

/** Where the graph begins: a mask over the image, the views' pixels, or their projected features. */
export type ScoreInput = 'mask' | 'pixels' | 'features';

/** Everything that a score graph's shapes depend on. */
export interface ScoreShape {
  readonly from: ScoreInput;
  /** With the gradient with respect to `from`, or log p alone. */
  readonly gradient: boolean;
  readonly batch: number;
  /** Of the mask; of no matter for other inputs. */
  readonly maskRows: number;
  readonly maskCols: number;
  readonly views: readonly ScoreView[];
  /** Embeddings before and after the image's features, and their width. */
  readonly before: number;
  readonly after: number;
  readonly width: number;
  /** Number of answer tokens. */
  readonly answer: number;
  readonly firstPosition: number;
}

export interface ScoreView {
  readonly name: string;
  readonly input: string;
  readonly height: number;
  readonly width: number;
  /** Number of features. */
  readonly features: number;
}

/** Files of the graphs that a score graph is composed of. */
export interface ScoreSources {
  readonly vision: string;
  readonly decoder: string;
}

/**
 * Composes the one graph that scores an answer: mask → up-sampling and blend → vision encoder → splice between the text's
 * embeddings → decoder, teacher-forced, no cache → logits at the answer's positions only → log p of each answer token →
 * gradient of Σ_t w_t · log p_t. Weights stay in the model's files.
 *
 * Inputs (b batch, v each view's name, t answer tokens):
 * - from 'mask': `mask` [b, rows, cols]; for each view `image/v`, `baseline/v` [1, 3, h, w], `noise/v` [b, 3, h, w],
 *   `up-rows/v` [h, rows], `up-cols/v` [cols, w]; the view's pixels are
 *   `baseline + M·(image − baseline) + noise` with `M = up-rows · mask · up-cols`
 * - from 'pixels': `pixels/v` [b, 3, h, w]; from 'features': `features/v` [b, features, width]
 * - `before` [1, before, width], `after` [1, after, width]: embeddings of the prompt and the answer around the image
 * - `positions` [t]: where in the sequence each answer token is predicted; `ids` [t]: the answer tokens, int64
 * - `weights` [b, t], with the gradient only
 *
 * Outputs: `logp` [b, t], and with the gradient `gradient` (of the mask's shape) or `gradient/v` (of the pixels' or features').
 */
export function buildScoreGraph(sources: ScoreSources, shape: ScoreShape): Graph {
  const graph = new Graph();
  graph.opsets.set('', 18);
  const b = new Builder(graph, 'score');
  const { batch, width, answer } = shape;
  if (shape.from === 'mask') addInput(graph, 'mask', 'float32', [batch, shape.maskRows, shape.maskCols]);
  const features = shape.views.map((view) => viewFeatures(b, sources, shape, view));

  const text = (name: string, length: number) => {
    addInput(graph, name, 'float32', [1, length, width]);
    return batch === 1 ? name : b.op('Expand', [name, b.ints([batch, length, width])]);
  };
  const parts = [
    ...(shape.before === 0 ? [] : [text('before', shape.before)]),
    ...features,
    ...(shape.after === 0 ? [] : [text('after', shape.after)]),
  ];
  const sequence = parts.length === 1 ? parts[0]! : b.op('Concat', parts, { axis: int(1) });
  addInput(graph, 'positions', 'int64', [answer]);
  addInput(graph, 'ids', 'int64', [answer]);
  const decoder = boundDecoder(sources.decoder, batch, graph.dims(sequence), shape.firstPosition);
  // For a vocabulary of 150,000 the output projection of a whole prompt would cost more than all else.
  addInput(decoder, 'positions', 'int64', [answer]);
  gatherLate(decoder, 'logits', 'positions');
  const outputs = append(graph, {
    graph: decoder,
    prefix: 'decoder/',
    feeds: { inputs_embeds: sequence, positions: 'positions' },
  });
  const logits = outputs[decoder.outputs[0]!]!;

  const ids = b.op('Expand', [b.reshape('ids', [1, answer, 1]), b.ints([batch, answer, 1])]);
  const all = b.op('LogSoftmax', [logits], { axis: int(-1) });
  const chosen = b.op('GatherElements', [all, ids], { axis: int(2) });
  const logp = b.op('Reshape', [chosen, b.ints([batch, answer])], {}, { as: 'logp' });
  graph.outputs = [logp];
  if (shape.gradient) {
    addInput(graph, 'weights', 'float32', [batch, answer]);
    const wrt = shape.from === 'mask' ? ['mask'] : shape.views.map(({ name }) => `${shape.from}/${name}`);
    const gradients = differentiate(graph, { of: [{ value: logp, cotangent: 'weights' }], wrt });
    for (const name of wrt) {
      graph.outputs.push(b.op('Identity', [gradients[name]!], {}, { as: name.replace(/^[^/]*/, 'gradient') }));
    }
  }
  prune(graph);
  return graph;
}

/** The projected features of one view, [batch, features, width]. */
function viewFeatures(b: Builder, { vision }: ScoreSources, shape: ScoreShape, view: ScoreView): string {
  const { graph } = b;
  if (shape.from === 'features') {
    return addInput(graph, `features/${view.name}`, 'float32', [shape.batch, view.features, shape.width]);
  }
  const dims = [shape.batch, 3, view.height, view.width];
  const pixels =
    shape.from === 'mask' ? blend(b, shape, view) : addInput(graph, `pixels/${view.name}`, 'float32', dims);
  const encoder = readGraph(vision);
  bind(encoder, { shapes: { [view.input]: dims } });
  const outputs = append(graph, { graph: encoder, prefix: `vision/${view.name}/`, feeds: { [view.input]: pixels } });
  return outputs.image_features!;
}

function blend(b: Builder, { batch, maskRows, maskCols }: ScoreShape, { name, height, width }: ScoreView): string {
  const { graph } = b;
  const image = addInput(graph, `image/${name}`, 'float32', [1, 3, height, width]);
  const baseline = addInput(graph, `baseline/${name}`, 'float32', [1, 3, height, width]);
  const noise = addInput(graph, `noise/${name}`, 'float32', [batch, 3, height, width]);
  const rows = addInput(graph, `up-rows/${name}`, 'float32', [height, maskRows]);
  const cols = addInput(graph, `up-cols/${name}`, 'float32', [maskCols, width]);
  const up = b.op('MatMul', [b.op('MatMul', [rows, 'mask']), cols]);
  const mask = b.reshape(up, [batch, 1, height, width]);
  return b.add(b.add(b.mul(mask, b.sub(image, baseline)), baseline), noise);
}

/** A decoder for one whole sequence: nothing cached before it, and no cache made of it. */
function boundDecoder(file: string, batch: number, embeddings: readonly number[], firstPosition: number): Graph {
  const graph = readGraph(file);
  graph.outputs = ['logits'];
  const length = embeddings[1]!;
  const fixed: Record<string, (input: Graph['inputs'][number]) => Constant> = {
    attention_mask: () => constantOf('int64', [batch, length], new Array<number>(batch * length).fill(1)),
    position_ids: () =>
      constantOf(
        'int64',
        [batch, length],
        Array.from({ length: batch * length }, (_, i) => firstPosition + (i % length)),
      ),
    num_logits_to_keep: ({ dims }) => constantOf('int64', dims as number[], [0]),
    use_cache_branch: ({ dims }) => constantOf('bool', dims as number[], [0]),
  };
  const constants: Record<string, Constant> = {};
  for (const input of graph.inputs) {
    if (input.name.startsWith('past_key_values.')) {
      const dims = input.dims.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? batch : 0));
      constants[input.name] = constantOf(input.dtype, dims, []);
    } else if (fixed[input.name] !== undefined) constants[input.name] = fixed[input.name]!(input);
  }
  bind(graph, { constants, shapes: { inputs_embeds: embeddings } });
  return graph;
}
