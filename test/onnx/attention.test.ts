import assert from 'node:assert/strict';
import {
  addInput,
  blockOutputs,
  Builder,
  findAttention,
  float,
  Graph,
  int,
  lowerAttention,
} from '../../kernel/onnx/index.ts';

const [TOKENS, WIDTH, HEADS] = [6, 8, 2];
const SIZE = WIDTH / HEADS;

function begun(): { graph: Graph; b: Builder } {
  const graph = new Graph();
  graph.opsets.set('', 18);
  addInput(graph, 'x', 'float32', [1, TOKENS, WIDTH]);
  return { graph, b: new Builder(graph) };
}

const projected = (b: Builder, x: string, seed: number): string =>
  b.op('MatMul', [
    x,
    b.constant(
      'float32',
      [WIDTH, WIDTH],
      Array.from({ length: WIDTH ** 2 }, (_, i) => Math.sin(seed + i)),
    ),
  ]);

const heads = (b: Builder, x: string): string => b.transpose(b.reshape(x, [1, TOKENS, HEADS, SIZE]), [0, 2, 1, 3]);

const parts = (b: Builder, x: string, seed = 0) =>
  [1, 2, 3].map((i) => heads(b, projected(b, x, seed + 10 * i))) as [string, string, string];

const joined = (b: Builder, x: string): string => b.reshape(b.transpose(x, [0, 2, 1, 3]), [1, TOKENS, WIDTH]);

const softmax = (b: Builder, x: string, axis = -1): string => b.op('Softmax', [x], { axis: int(axis) });

/** How exporters write the way from the product of queries and keys to the product with the values. */
const FORMS: Readonly<
  Record<string, (b: Builder, scores: string, values: string) => [weights: string, output: string]>
> = {
  plain: (b, scores, values) => {
    const weights = softmax(b, scores);
    return [weights, b.op('MatMul', [weights, values])];
  },
  'scaled and masked by a mask as large as the scores': (b, scores, values) => {
    const mask = b.expand(addInput(b.graph, 'mask', 'float32', [1, 1, TOKENS, TOKENS]), [1, HEADS, TOKENS, TOKENS]);
    const weights = softmax(b, b.add(mask, b.div(scores, b.scalar(2, scores))));
    return [weights, b.op('MatMul', [weights, values])];
  },
  'capped, chosen by a condition, and cast': (b, scores, values) => {
    const seen = b.op('Greater', [
      addInput(b.graph, 'mask', 'float32', [TOKENS, TOKENS]),
      b.constant('float32', [], [0]),
    ]);
    const capped = b.scale(b.op('Tanh', [b.scale(scores, 0.1)]), 10);
    const masked = b.op('Where', [seen, capped, b.constant('float32', [], [-1e9])]);
    const double = softmax(b, b.op('Cast', [masked], { to: int(11) }));
    const weights = b.op('Cast', [double], { to: int(1) });
    return [weights, b.op('MatMul', [weights, values])];
  },
  'with rows that see nothing set to 0': (b, scores, values) => {
    const all = softmax(b, scores);
    const weights = b.op('Where', [b.op('IsNaN', [all]), b.constant('float32', [], [0]), all]);
    return [weights, b.op('MatMul', [weights, values])];
  },
  'with heads and batch in one axis': (b, scores, values) => {
    const weights = softmax(b, b.reshape(scores, [HEADS, TOKENS, TOKENS]));
    return [weights, b.op('MatMul', [weights, b.reshape(values, [HEADS, TOKENS, SIZE])])];
  },
  'with a key that has no value': (b, scores, values) => {
    const sink = b.zeros([1, HEADS, TOKENS, 1], scores);
    const weights = b.slice(softmax(b, b.op('Concat', [scores, sink], { axis: int(-1) })), 3, 0, TOKENS);
    return [weights, b.op('MatMul', [weights, values])];
  },
};

describe('attention found by its structure', () => {
  for (const [form, write] of Object.entries(FORMS)) {
    it(form, () => {
      const { graph, b } = begun();
      const [q, k, v] = parts(b, 'x');
      const keys = b.transpose(k, [0, 1, 3, 2]);
      const [weights, output] = write(b, b.op('MatMul', [q, keys]), v);
      graph.outputs = [output];
      assert.deepEqual(findAttention(graph), [{ weights, keys, output }]);
    });
  }

  it('not in a softmax over a product with a weight, over another axis, or that multiplies nothing', () => {
    const { graph, b } = begun();
    const [q, k, v] = parts(b, 'x');
    const scores = b.op('MatMul', [q, b.transpose(k, [0, 1, 3, 2])]);
    const gate = softmax(b, projected(b, 'x', 7));
    graph.outputs = [
      b.op('MatMul', [gate, b.transpose('x', [0, 2, 1])]),
      b.op('MatMul', [softmax(b, scores, 2), v]),
      softmax(b, scores),
    ];
    assert.deepEqual(findAttention(graph), []);
  });

  it('in fused operators once they are written out', () => {
    const { graph, b } = begun();
    const inputs = [1, 2, 3].map((seed) => projected(b, 'x', seed));
    graph.outputs = [
      b.op('MultiHeadAttention', inputs, { num_heads: int(HEADS), scale: float(0.5) }, { domain: 'com.microsoft' }),
    ];
    assert.deepEqual(findAttention(graph), []);
    lowerAttention(graph);
    const [attention, ...others] = findAttention(graph);
    assert.equal(others.length, 0);
    assert.deepEqual(graph.dims(attention!.weights), [1, HEADS, TOKENS, TOKENS]);
    assert.deepEqual(graph.dims(attention!.keys), [1, HEADS, SIZE, TOKENS]);
  });
});

describe('blocks of a transformer', () => {
  function attended(b: Builder, x: string, seed: number): string {
    const [q, k, v] = parts(b, x, seed);
    const weights = softmax(b, b.op('MatMul', [q, b.transpose(k, [0, 1, 3, 2])]));
    return projected(b, joined(b, b.op('MatMul', [weights, v])), seed + 40);
  }

  /** A feed-forward part whose GELU adds x³ to x, of the same width. */
  function fed(b: Builder, x: string): string {
    const wide = b.op('Concat', [x, x], { axis: int(2) });
    const cube = b.mul(b.mul(wide, wide), wide);
    const inner = b.mul(wide, b.op('Tanh', [b.add(wide, b.scale(cube, 0.044715))]));
    return projected(b, b.slice(inner, 2, 0, WIDTH), 50);
  }

  it('end with the sum past their feed-forward part', () => {
    const { graph, b } = begun();
    const ends: string[] = [];
    let x = b.op('Tanh', ['x']);
    for (const seed of [100, 200]) {
      const sum = b.add(x, attended(b, x, seed));
      x = b.add(sum, fed(b, sum));
      ends.push(x);
    }
    graph.outputs = [projected(b, b.op('Tanh', [x]), 300)];
    assert.deepEqual(blockOutputs(graph, findAttention(graph), 'x'), ends);
  });

  it('end with their one sum where both parts stand side by side', () => {
    const { graph, b } = begun();
    const ends: string[] = [];
    let x = b.op('Tanh', ['x']);
    for (const seed of [100, 200]) {
      x = b.add(b.add(projected(b, x, seed), attended(b, x, seed)), x);
      ends.push(x);
    }
    graph.outputs = [projected(b, x, 300)];
    assert.deepEqual(blockOutputs(graph, findAttention(graph), 'x').at(-1), ends.at(-1));
  });

  it('end with the sum where a normalisation stands behind it', () => {
    const { graph, b } = begun();
    const normalised = (x: string) =>
      b.op('LayerNormalization', [x, b.constant('float32', [WIDTH], new Array(WIDTH).fill(1))], { axis: int(-1) });
    const first = normalised(b.add('x', attended(b, 'x', 100)));
    const sum = b.add(first, fed(b, first));
    graph.outputs = [normalised(sum)];
    assert.deepEqual(blockOutputs(graph, findAttention(graph), 'x'), [sum]);
  });
});
