import type { Task } from '../task.ts';
import type { Answered } from './answered.ts';
import { answered } from './answered.ts';
import { ask } from './ask.ts';
import { SelectTokensParams } from './question-params.ts';
import { Stopwatch } from './stopwatch.ts';

/** Any mask does for all or nothing; the paper's size shares its graph with explanations. */
const MASK_SIZE = 32;

/** Which tokens of an answer depend on the image, and how much. No map. */
export const selectTokens: Task<SelectTokensParams, Answered> = {
  params: SelectTokensParams,
  async run(context) {
    const stopwatch = new Stopwatch();
    const asked = await ask(context, stopwatch, MASK_SIZE);
    return answered(asked, context.params, stopwatch, 'none', {}, { maps: [], curves: [], metrics: [] });
  },
};
