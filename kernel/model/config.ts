import { z } from 'zod';

/**
 * The parts of a model folder's JSON files that matter here. Everything else in them is left alone: configs of published
 * models carry dozens of fields for other software.
 */

const tokenId = z.number().int().nonnegative();

/** config.json */
export const ModelConfig = z.looseObject({
  model_type: z.string(),
  /** The image placeholder; LLaVA calls it `image_token_index`, newer configs `image_token_id`. */
  image_token_index: tokenId.optional(),
  image_token_id: tokenId.optional(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
  max_position_embeddings: z.number().int().positive().optional(),
  vocab_size: z.number().int().positive().optional(),
  text_config: z
    .looseObject({
      max_position_embeddings: z.number().int().positive().optional(),
      vocab_size: z.number().int().positive().optional(),
      eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
    })
    .optional(),
  vision_config: z
    .looseObject({
      image_size: z.number().int().positive().optional(),
      patch_size: z.number().int().positive().optional(),
    })
    .optional(),
});
export type ModelConfig = z.infer<typeof ModelConfig>;

/** generation_config.json */
export const GenerationConfig = z.looseObject({
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});
export type GenerationConfig = z.infer<typeof GenerationConfig>;

const side = z.number().int().positive();

/** Newer files write out every setting, those that do not apply as null. */
const withoutNulls = (json: unknown): unknown =>
  typeof json === 'object' && json !== null && !Array.isArray(json)
    ? Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))
    : json;

/** preprocessor_config.json, with the defaults that transformers' image processors have; families read further fields themselves. */
export const PreprocessorConfig = z.preprocess(
  withoutNulls,
  z.looseObject({
    image_processor_type: z.string().optional(),
    do_resize: z.boolean().default(true),
    size: z
      .union([
        z.object({ height: side, width: side }).transform(({ height, width }) => ({ height, width })),
        z
          .object({ shortest_edge: side.nullish(), longest_edge: side.nullish() })
          .refine(({ shortest_edge, longest_edge }) => (shortest_edge ?? longest_edge) != null, 'has no edge')
          .transform(({ shortest_edge, longest_edge }) => ({
            ...(shortest_edge == null ? {} : { shortestEdge: shortest_edge }),
            ...(longest_edge == null ? {} : { longestEdge: longest_edge }),
          })),
        // How Qwen2-VL's files name numbers of pixels for a while.
        z
          .object({ min_pixels: side, max_pixels: side })
          .transform(({ min_pixels, max_pixels }) => ({ shortestEdge: min_pixels, longestEdge: max_pixels })),
        side.transform((shortestEdge): { shortestEdge?: number; longestEdge?: number } => ({ shortestEdge })),
      ])
      .optional(),
    /** Pillow's number of the filter; bicubic where it is missing. */
    resample: z.number().int().min(0).max(5).default(3),
    do_center_crop: z.boolean().default(false),
    crop_size: z
      .union([z.object({ height: side, width: side }), side.transform((s) => ({ height: s, width: s }))])
      .optional(),
    do_rescale: z.boolean().default(true),
    rescale_factor: z.number().default(1 / 255),
    do_normalize: z.boolean().default(true),
    image_mean: z.array(z.number()).length(3).default([0.48145466, 0.4578275, 0.40821073]),
    image_std: z.array(z.number()).length(3).default([0.26862954, 0.26130258, 0.27577711]),
  }),
);
export type PreprocessorConfig = z.infer<typeof PreprocessorConfig>;

/** processor_config.json; newer files hold the image processor's settings in it. */
export const ProcessorConfig = z.looseObject({ image_processor: PreprocessorConfig.optional() });
export type ProcessorConfig = z.infer<typeof ProcessorConfig>;

/** A special token in tokenizer_config.json: its text, or an object that holds it. */
const special = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish();

/** tokenizer_config.json */
export const TokenizerConfig = z.looseObject({
  bos_token: special,
  eos_token: special,
  pad_token: special,
  unk_token: special,
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).nullish(),
  model_max_length: z.number().positive().optional(),
});
export type TokenizerConfig = z.infer<typeof TokenizerConfig>;

/** tokenizer.json, as far as it must hold for `@huggingface/tokenizers` to read it. */
export const TokenizerJson = z.looseObject({ model: z.looseObject({}) });

/** chat_template.json */
export const ChatTemplateJson = z.looseObject({ chat_template: z.string() });
