import { z } from 'zod';
import { LensError } from '../errors.ts';
import type { ModelConfig } from './config.ts';

/** What config.json says of the language model's attention. */
const Attention = z.looseObject({
  hidden_size: z.number().int().positive().optional(),
  num_attention_heads: z.number().int().positive().optional(),
  num_key_value_heads: z.number().int().positive().nullish(),
  head_dim: z.number().int().positive().nullish(),
});

/** Sizes of a key-value cache, where config.json gives them. */
export interface CacheSizes {
  readonly heads?: number | undefined;
  /** Of a head. */
  readonly width?: number | undefined;
}

export function cacheSizes(config: ModelConfig): CacheSizes {
  const { data } = Attention.safeParse(config.text_config ?? config);
  if (data === undefined) return {};
  const { hidden_size: width, num_attention_heads: heads } = data;
  return {
    heads: data.num_key_value_heads ?? heads,
    width: data.head_dim ?? (width === undefined || heads === undefined ? undefined : width / heads),
  };
}

/**
 * Shape of a cache that holds nothing: [batch, heads, 0, width].
 * @param dims as the graph declares them; some exports leave more than the batch and the length free
 * @throws LensError where neither the graph nor config.json gives a size
 */
export function emptyCacheDims(dims: readonly (number | string)[], batch: number, sizes: CacheSizes): number[] {
  return dims.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    const size = [batch, sizes.heads, 0, sizes.width][axis];
    if (size !== undefined) return size;
    throw new LensError(
      `the decoder leaves '${dim}' of its cache open, and config.json does not tell`,
      'config.json must be of the same model: it has `num_key_value_heads` and `head_dim`, or `hidden_size`',
    );
  });
}
