import { z } from 'zod';
import { decodeImage } from '../image/decode.ts';
import type { GeneratedAnswer, ModelInfo, ModelProvenance, TokenisedText } from '../model/loaded-model.ts';
import { ImageParam, ModelParam } from './params.ts';
import type { Task } from './task.ts';

const DescribeParams = z.object({ model: ModelParam });

/** What a model is; loads it. */
export const describeModel: Task<z.infer<typeof DescribeParams>, { info: ModelInfo; provenance: ModelProvenance }> = {
  params: DescribeParams,
  async run({ params, models }) {
    const model = await models.open(params.model);
    return { info: model.info, provenance: await model.provenance() };
  },
};

const GenerateParams = z.object({
  model: ModelParam,
  image: ImageParam,
  question: z.string(),
  maxNewTokens: z.number().int().positive().optional(),
});

/** A model's greedy answer to a question about an image. */
export const generateAnswer: Task<z.infer<typeof GenerateParams>, GeneratedAnswer> = {
  params: GenerateParams,
  async run({ params, signal, onProgress, models }) {
    const { image, question, maxNewTokens } = params;
    const model = await models.open(params.model);
    return model.answer(await decodeImage(image), question, {
      signal,
      onToken: (count) => onProgress({ stage: 'answer', step: count, steps: maxNewTokens ?? count }),
      ...(maxNewTokens === undefined ? {} : { maxNewTokens }),
    });
  },
};

const TokenizeParams = z.object({ model: ModelParam, text: z.string() });

/** The tokens of an answer's text as a model would write it. */
export const tokenizeAnswer: Task<z.infer<typeof TokenizeParams>, TokenisedText> = {
  params: TokenizeParams,
  async run({ params, models }) {
    return (await models.open(params.model)).tokens(params.text);
  },
};
