import { Builder } from '../builder.ts';
import type { Graph, Node } from '../graph.ts';
import { inputsWithCaptures } from '../graph.ts';
import * as activation from './activations.ts';
import { groupQueryAttention } from './group-query-attention.ts';
import { microsoftAttention } from './microsoft-attention.ts';
import { multiHeadAttention } from './multi-head-attention.ts';
import * as norm from './normalisation.ts';
import type { LoweredMicrosoftOp, LoweredOp } from './ops.ts';
import * as product from './products.ts';
import * as quantised from './quantised.ts';
import { microsoftRotaryEmbedding, rotaryEmbedding } from './rotary.ts';
import { FusedSite } from './site.ts';
import type { Lowering } from './site.ts';
import { standardAttention } from './standard-attention.ts';

/** How each fused operator is written out in primitives, by domain and operator. */
export const LOWERINGS: {
  readonly '': Readonly<Record<LoweredOp, Lowering>>;
  readonly 'com.microsoft': Readonly<Record<LoweredMicrosoftOp, Lowering>>;
} = {
  '': {
    Attention: standardAttention,
    RotaryEmbedding: rotaryEmbedding,
  },
  'com.microsoft': {
    Attention: microsoftAttention,
    BiasAdd: activation.biasAdd,
    BiasGelu: activation.biasGelu,
    BiasSplitGelu: activation.biasSplitGelu,
    DequantizeLinear: quantised.dequantizeLinear,
    EmbedLayerNormalization: norm.embedLayerNormalization,
    FastGelu: activation.fastGelu,
    FusedConv: product.fusedConv,
    FusedGemm: product.fusedGemm,
    FusedMatMul: product.fusedMatMul,
    GatherBlockQuantized: quantised.gatherBlockQuantized,
    GroupNorm: norm.groupNorm,
    GroupQueryAttention: groupQueryAttention,
    LayerNormalization: norm.layerNormalization,
    MultiHeadAttention: multiHeadAttention,
    NhwcConv: product.nhwcConv,
    QuickGelu: activation.quickGelu,
    RotaryEmbedding: microsoftRotaryEmbedding,
    SkipGroupNorm: norm.skipGroupNorm,
    SkipLayerNormalization: norm.skipLayerNormalization,
    SkipSimplifiedLayerNormalization: norm.skipSimplifiedLayerNormalization,
    TransposeMatMul: product.transposeMatMul,
  },
};

/** The lowering of a node's operator, if it has one. */
export const loweringOf = (node: Node): Lowering | undefined =>
  (LOWERINGS as Readonly<Record<string, Readonly<Record<string, Lowering>>>>)[node.domain]?.[node.op];

/**
 * Writes out fused operators as primitives, in place, in a bound graph. Values keep the names in `keep` and those of the graph's
 * outputs; every other reader is given the new name.
 *
 * @param chosen which nodes to lower, all by default; those without a lowering stay as they are
 */
export function lower(graph: Graph, chosen: (node: Node) => boolean = () => true, keep: Iterable<string> = []): void {
  const kept = new Set([...keep, ...graph.outputs]);
  for (const node of graph.nodes) {
    // Subgraphs find values of the graph around them by name.
    const own = new Set(node.inputs);
    for (const name of inputsWithCaptures(node)) if (!own.has(name)) kept.add(name);
  }
  const nodes = graph.nodes;
  const builder = new Builder(graph, 'lower');
  const shared = new Map<string, string>();
  const renamed = new Map<string, string>();
  graph.nodes = [];
  for (const node of nodes) {
    node.inputs = node.inputs.map((name) => renamed.get(name) ?? name);
    const lowering = chosen(node) ? loweringOf(node) : undefined;
    const values = lowering?.(new FusedSite(node, builder, shared));
    if (values === undefined) {
      graph.nodes.push(node);
      continue;
    }
    node.outputs.forEach((output, i) => {
      const value = values[i];
      if (output === '' || value === undefined) return;
      if (kept.has(output)) builder.op('Identity', [value], {}, { as: output });
      else renamed.set(output, value);
    });
  }
  dropUnread(graph, new Set(nodes), kept);
}

/** Removes the nodes among the new ones that nobody reads: what a lowering wrote and then found a shorter form for. */
function dropUnread(graph: Graph, old: ReadonlySet<Node>, kept: Set<string>): void {
  const read = new Set(kept);
  graph.nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      if (!old.has(node) && !node.outputs.some((output) => read.has(output))) return false;
      for (const input of inputsWithCaptures(node)) read.add(input);
      return true;
    })
    .reverse();
}
