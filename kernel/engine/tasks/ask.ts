import { filledMask } from '../../attribution/mask.ts';
import { throwIfAborted } from '../../attribution/progress.ts';
import { AUTO_RULES, selection } from '../../attribution/token-selection.ts';
import type { BaselineName } from '../../attribution/scorer.ts';
import type { Answer, AnswerToken } from '../../document.ts';
import { LensError } from '../../errors.ts';
import { decodeImage } from '../../image/decode.ts';
import type { Picture } from '../../image/picture.ts';
import type { AnswerScorer, LoadedModel, TokenisedText } from '../../model/loaded-model.ts';
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
  /** Whether stop words could be selected, which happens where nothing else was. */
  readonly stopWords: boolean;
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
  const { question, maxNewTokens, seed } = params;
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
    const masked = async (value: 0 | 1, baseline: BaselineName) =>
      (await scorer.logp([{ mask: filledMask(maskSize, maskSize, value), baseline }]))[0]!;
    const { judged, baseline, threshold, stopWords } = await judgement(params, scorer.answer, masked);
    const answer: Answer = {
      text: scorer.answer.text,
      source: given === undefined ? 'generated' : 'given',
      tokens: judged,
      threshold,
    };
    const selected = [...judged.keys()].filter((t) => judged[t]!.selected);
    return { model, picture, scorer, answer, selected, baseline, stopWords };
  });
}

/** What each token owes to the image, judged with one baseline and one threshold. */
interface Judgement {
  readonly judged: readonly AnswerToken[];
  readonly baseline: BaselineName;
  readonly threshold: number;
  readonly stopWords: boolean;
}

/**
 * The first judgement in which a token is selected: every baseline with the first rule, then every baseline with the next. Where none is,
 * the first baseline's with the lowest threshold. Tokens that the caller names are selected at once.
 * @param logp log p of the answer's tokens with the whole image (1) or a whole baseline (0)
 */
async function judgement(
  { tokens, ...asked }: SelectTokensParams,
  answer: TokenisedText,
  logp: (mask: 0 | 1, baseline: BaselineName) => Promise<Float32Array>,
): Promise<Judgement> {
  const baselines = asked.baseline === 'auto' ? AUTO_BASELINES : [asked.baseline];
  const rules = asked.threshold === 'auto' ? AUTO_RULES : [{ threshold: asked.threshold, stopWords: false }];
  const seen = await logp(1, baselines[0]!);
  const unseen = new Map<BaselineName, Float32Array>();
  let none: Judgement | undefined;
  for (const rule of rules) {
    for (const baseline of baselines) {
      const without = unseen.get(baseline) ?? (await logp(0, baseline));
      unseen.set(baseline, without);
      const judged = selection(answer, seen, without, { ...rule, tokens });
      const found = { judged, baseline, ...rule };
      if (judged.some(({ selected }) => selected)) return found;
      if (none === undefined || rule.threshold < none.threshold) none = found;
    }
  }
  return none!;
}
