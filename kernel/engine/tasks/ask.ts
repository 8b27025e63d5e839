import { filledMask } from '../../attribution/mask.ts';
import { throwIfAborted } from '../../attribution/progress.ts';
import { selection } from '../../attribution/token-selection.ts';
import type { Answer } from '../../document.ts';
import { LensError } from '../../errors.ts';
import { decodeImage } from '../../image/decode.ts';
import type { Picture } from '../../image/picture.ts';
import type { AnswerScorer, LoadedModel } from '../../model/loaded-model.ts';
import type { TaskContext } from '../task.ts';
import type { SelectTokensParams } from './question-params.ts';
import type { Stopwatch } from './stopwatch.ts';

/** A question, asked: the answer with what each of its tokens owes to the image, and a scorer for more. */
export interface Asked {
  readonly model: LoadedModel;
  readonly picture: Picture;
  readonly scorer: AnswerScorer;
  readonly answer: Answer;
  /** Indexes of the tokens to explain. */
  readonly selected: readonly number[];
}

/**
 * Answers the question (or takes the answer given) and scores it with the image and with the baseline.
 * @param maskSize rows and columns of the masks that will follow, so that one graph serves all
 */
export async function ask(
  { params, models, signal, onProgress }: TaskContext<SelectTokensParams>,
  stopwatch: Stopwatch,
  maskSize: number,
): Promise<Asked> {
  const { question, threshold, tokens, baseline, maxNewTokens, seed } = params;
  const [model, picture] = await stopwatch.time('load', () =>
    Promise.all([models.open(params.model), decodeImage(params.image)]),
  );
  throwIfAborted(signal);
  const onToken = (step: number) => onProgress({ stage: 'answer', step, steps: maxNewTokens });
  const given = params.answer;
  const spoken =
    given ??
    (await stopwatch.time('answer', async () => {
      const generated = await model.answer(picture, question, { maxNewTokens, signal, onToken });
      return generated.tokens.map(({ id }) => id);
    }));
  if (spoken.length === 0) {
    throw new LensError(
      `${model.info.id} answers "${question}" with nothing at all`,
      'Ask in another way, or give an answer to score with the option "answer"',
    );
  }
  return stopwatch.time('selection', async () => {
    const scorer = await model.scorer(picture, question, spoken, { seed, signal });
    const [seen, unseen] = await scorer.logp([
      { mask: filledMask(maskSize, maskSize, 1), baseline },
      { mask: filledMask(maskSize, maskSize, 0), baseline },
    ]);
    const judged = selection(scorer.answer, seen!, unseen!, { threshold, tokens });
    const answer: Answer = {
      text: scorer.answer.text,
      source: given === undefined ? 'generated' : 'given',
      tokens: judged,
      threshold,
    };
    return { model, picture, scorer, answer, selected: [...judged.keys()].filter((t) => judged[t]!.selected) };
  });
}
