import { filledMask } from '../../attribution/mask.ts';
import { throwIfAborted } from '../../attribution/progress.ts';
import { selection } from '../../attribution/token-selection.ts';
import type { BaselineName } from '../../attribution/scorer.ts';
import type { Answer } from '../../document.ts';
import { LensError } from '../../errors.ts';
import { decodeImage } from '../../image/decode.ts';
import type { Picture } from '../../image/picture.ts';
import type { AnswerScorer, LoadedModel } from '../../model/loaded-model.ts';
import type { TaskContext } from '../task.ts';
import { AUTO_BASELINES } from './question-params.ts';
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
  /** The baseline with which they were selected: the first tried where none was. */
  readonly baseline: BaselineName;
}

/**
 * Answers the question (or takes the answer given) and scores it with the image and with the baselines, up to the first with which
 * a token is selected.
 * @param maskSize rows and columns of the masks that will follow, so that one graph serves all
 */
export async function ask(
  { params, models, signal, onProgress }: TaskContext<SelectTokensParams>,
  stopwatch: Stopwatch,
  maskSize: number,
): Promise<Asked> {
  const { question, threshold, tokens, maxNewTokens, seed } = params;
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
    const masked = async (value: number, baseline: BaselineName) =>
      (await scorer.logp([{ mask: filledMask(maskSize, maskSize, value), baseline }]))[0]!;
    const candidates = baselinesOf(params);
    const seen = await masked(1, candidates[0]!);
    const judgements = [];
    for (const baseline of candidates) {
      const judged = selection(scorer.answer, seen, await masked(0, baseline), { threshold, tokens });
      judgements.push({ baseline, judged });
      if (judged.some(({ selected }) => selected)) break;
    }
    const { baseline, judged } =
      judgements.find((each) => each.judged.some(({ selected }) => selected)) ?? judgements[0]!;
    const answer: Answer = {
      text: scorer.answer.text,
      source: given === undefined ? 'generated' : 'given',
      tokens: judged,
      threshold,
    };
    const selected = [...judged.keys()].filter((t) => judged[t]!.selected);
    return { model, picture, scorer, answer, selected, baseline };
  });
}

/** The baselines to try in turn. Tokens that the caller names are selected with any, so only the first is tried. */
function baselinesOf({ baseline, tokens }: SelectTokensParams): readonly BaselineName[] {
  if (baseline !== 'auto') return [baseline];
  return tokens === 'visual' ? AUTO_BASELINES : AUTO_BASELINES.slice(0, 1);
}
