/** The operators that exports of vision-language models use, as we have seen them: each must be dealt with, in the way it says. */
import assert from 'node:assert/strict';
import type { Support } from '../../kernel/autodiff/coverage.ts';
import { supportOf } from '../../kernel/autodiff/coverage.ts';
import { FOLD_RULES } from '../../kernel/onnx/fold/index.ts';
import { hasShapeRule } from '../../kernel/onnx/shapes/index.ts';

/** Graphs written operator by operator, as torch.onnx and Optimum write them. */
const PRIMITIVES: Readonly<Partial<Record<Support, string>>> = {
  rule: `Add Sub Mul Div Pow Sqrt Reciprocal Neg Exp Log Erf Tanh Sigmoid Sin Cos Softmax LogSoftmax LayerNormalization ReduceMean
    ReduceSum ReduceMax MatMul Gemm Conv Reshape Transpose Concat Split Slice Squeeze Unsqueeze Expand Tile Gather GatherND
    GatherElements ScatterND Where Cast Trilu Clip Min Max Relu Gelu HardSigmoid Pad Resize AveragePool Einsum CumSum Identity
    RMSNormalization DequantizeLinear`,
  zero: 'Equal Greater Less And Not Range Shape ConstantOfShape OneHot',
  static: 'Constant If Loop',
  lowered: 'Attention RotaryEmbedding',
  rounds: 'DynamicQuantizeLinear MatMulInteger',
};

/** What ONNX Runtime's optimiser and the onnxruntime-genai builder fuse. */
const FUSED: Readonly<Partial<Record<Support, string>>> = {
  rule: 'FusedMatMul MatMulNBits MatMulBnb4',
  lowered: `GroupQueryAttention MultiHeadAttention Attention RotaryEmbedding SkipSimplifiedLayerNormalization SkipLayerNormalization
    LayerNormalization BiasGelu FastGelu QuickGelu GatherBlockQuantized DequantizeLinear`,
};

const node = (op: string, domain: string) => ({ op, domain, name: op, inputs: [], outputs: [op], attributes: {} });

describe('operators of vision-language models', () => {
  for (const [domain, table] of [
    ['', PRIMITIVES],
    ['com.microsoft', FUSED],
  ] as const) {
    for (const [support, names] of Object.entries(table)) {
      for (const op of names.split(/\s+/)) {
        it(`${domain === '' ? op : `${domain}.${op}`}: ${support}`, () => {
          assert.equal(supportOf(node(op, domain)), support);
          if (support !== 'static') assert.ok(hasShapeRule(node(op, domain)), 'its shape is known');
        });
      }
    }
  }

  it('SimplifiedLayerNormalization, which is written in either domain, has a rule or is lowered', () => {
    assert.equal(supportOf(node('SimplifiedLayerNormalization', '')), 'rule');
  });

  it('those that are arithmetic on shapes are computed when a graph is bound', () => {
    const names =
      'Add Sub Mul Div Equal Greater Less And Not Where Cast Range Concat Slice Gather Squeeze Unsqueeze Reshape Expand';
    for (const op of [...names.split(' '), 'ConstantOfShape', 'Trilu', 'CumSum', 'OneHot', 'ScatterND']) {
      assert.ok(FOLD_RULES[op] !== undefined, op);
    }
  });
});
