import type { z } from 'zod';
import type { AttributionContext, Mask, Scorer } from './scorer.ts';

/**
 * An attribution method: which cells of the image does Σ_t w_t · log p_t rest on?
 * One method per file; `methods.ts` is the table of all.
 */
export interface AttributionMethod<Options extends object = object> {
  /** As users write it: 'igos++'. */
  readonly name: string;
  /** One sentence for lists and completion. */
  readonly summary: string;
  /** Where it was published. */
  readonly source: string;
  /** What each option may be; a strict object, so that a misspelt option is refused. */
  readonly schema: z.ZodObject;
  readonly defaults: Readonly<Options>;
  /** Named option sets, such as 'paper'; an option set replaces `defaults`. */
  readonly presets?: Readonly<Record<string, Readonly<Options>>>;
  /**
   * @param weights w_t for each answer token: 1 for the tokens to explain and 0 elsewhere
   * @param start the joint map, when a single token's map is made: where the answer's evidence lies, for methods that can use it
   * @returns saliency (not the mask): high where the image matters, any non-negative range
   */
  attribute(
    scorer: Scorer,
    weights: Float32Array,
    options: Readonly<Options>,
    context: AttributionContext,
    start?: Mask,
  ): Promise<Mask>;
}
