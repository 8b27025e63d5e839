import { inLockstep } from '../../attribution/lockstep.ts';
import { chosenMethod } from '../../attribution/methods.ts';
import type { ChosenMethod } from '../../attribution/methods.ts';
import { throwIfAborted } from '../../attribution/progress.ts';
import { PAPER_THRESHOLD } from '../../attribution/token-selection.ts';
import type { AttributionContext, BaselineName, Mask, Scorer } from '../../attribution/scorer.ts';
import type { Curve, EncoderContribution, Metric, SaliencyMap } from '../../document.ts';
import { LensError } from '../../errors.ts';
import { encoderContributions } from '../../metrics/encoder-contributions.ts';
import { removalCurves, removalEvaluations } from '../../metrics/removal-curves.ts';
import { encodedMap } from '../../saliency-bytes.ts';
import type { Task, TaskContext } from '../task.ts';
import type { Answered } from './answered.ts';
import { answered } from './answered.ts';
import { ask } from './ask.ts';
import { partialPictures } from './partial-pictures.ts';
import type { Asked } from './ask.ts';
import { FLIP_SHARE } from './evaluate.ts';
import { ExplainParams } from './question-params.ts';
import { Stopwatch } from './stopwatch.ts';
import { timeLeft } from './time-left.ts';

/** Token maps that `perToken: true` makes at most: what a document of 300 kB holds. */
const MOST_TOKEN_MAPS = 24;

/**
 * Where the model looks for an answer: the joint map of the selected tokens, one map for each of them, then deletion and
 * insertion. An answer that does not depend on the image has no maps.
 */
export const explain: Task<ExplainParams, Answered> = {
  params: ExplainParams,
  async run(context) {
    const { params } = context;
    const chosen = chosenMethod(
      params.preset === undefined ? params.method : { preset: params.preset, ...params.method },
    );
    const stopwatch = new Stopwatch();
    const { method: _method, preset: _preset, perToken: _perToken, metrics: _metrics, encoders, ...question } = params;
    // The paper knows one baseline and one threshold.
    if (chosen.preset === 'paper') {
      if (question.baseline === 'auto') question.baseline = 'blur';
      if (question.threshold === 'auto') question.threshold = PAPER_THRESHOLD;
    }
    const asked = await ask({ ...context, params: question }, stopwatch, Number(chosen.options.maskSize));
    const baselines = params.metrics === false ? [] : (params.metrics ?? [asked.baseline]);
    const findings =
      asked.selected.length > 0
        ? await findingsOf(asked, chosen, baselines, context, stopwatch)
        : { maps: [], curves: [], metrics: [] };
    const parameters = {
      ...{ perToken: params.perToken, metrics: baselines, preset: chosen.preset },
      ...(asked.scorer.encoders.length > 0 && { encoders }),
      ...chosen.options,
    };
    return answered(asked, question, stopwatch, chosen.method.name, parameters, findings);
  },
};

async function findingsOf(
  asked: Asked,
  chosen: ChosenMethod,
  baselines: readonly BaselineName[],
  { params, signal, onProgress }: TaskContext<ExplainParams>,
  stopwatch: Stopwatch,
) {
  const { scorer, answer, selected, baseline } = asked;
  const against = withBaseline(scorer, baseline);
  const single = singleTokens(asked, params.perToken);
  const onWhole = timeLeft(scorer, {
    tokenMaps: selected.length === 1 ? 0 : single.length,
    curveEvaluations: baselines.length * removalEvaluations(Number(chosen.options.maskSize) ** 2),
  });
  const pictures = partialPictures(asked.picture, onProgress);
  const during = (stage: 'joint map' | 'token maps'): AttributionContext => {
    const whole = onWhole(stage);
    return {
      seed: params.seed,
      signal,
      onProgress(progress, saliency) {
        const news = whole(progress);
        onProgress(news);
        if (saliency && stage === 'joint map') pictures.show(news, saliency);
      },
    };
  };
  const attribute = (on: Scorer, tokens: readonly number[], context: AttributionContext, start?: Mask) =>
    chosen.method.attribute(on, weightsOf(scorer.tokenCount, tokens), chosen.options, context, start);

  let confirmed: boolean | undefined;
  const joint = await stopwatch.time('joint map', () =>
    attribute(against, selected, { ...during('joint map'), onChecked: (found) => (confirmed = found) }),
  );
  throwIfAborted(signal);

  // Of one selected token the joint map is the token's map.
  const tokenMaps =
    selected.length === 1
      ? single.map(() => joint)
      : await stopwatch.time('token maps', () => {
          const context = during('token maps');
          const { onProgress: _report, ...quiet } = context;
          // All take their steps together: the first one's progress is everyone's.
          return inLockstep(
            against,
            single.map((token, i) => (shared) => attribute(shared, [token], i === 0 ? context : quiet, joint)),
          );
        });
  throwIfAborted(signal);

  const curves = await stopwatch.time('curves', async () => {
    const all: Curve[] = [];
    const whole = onWhole('curves');
    for (const [step, measure] of baselines.entries()) {
      onProgress(whole({ stage: 'curves', step, steps: baselines.length }));
      const measured = await removalCurves(scorer, joint, selected, { baseline: measure });
      if (measured) all.push(measured.deletion, measured.insertion);
      throwIfAborted(signal);
    }
    onProgress(whole({ stage: 'curves', step: baselines.length, steps: baselines.length }));
    return all;
  });

  const encoders =
    params.encoders === false || scorer.encoders.length === 0
      ? []
      : await stopwatch.time('encoders', () => encodersOf(asked, joint, params, chosen, { seed: params.seed, signal }));
  throwIfAborted(signal);

  const text = (token: number) => answer.tokens[token]!.text.trim();
  const maps: SaliencyMap[] = [
    {
      ...stored(joint, 'joint', selected, selected.map(text).join(', '), chosen.method.name),
      ...(confirmed !== undefined && { confirmed }),
    },
    ...tokenMaps.map((map, i) => stored(map, 'token', [single[i]!], text(single[i]!), chosen.method.name)),
  ];
  return {
    maps,
    curves,
    metrics: curves.map((curve) => metricOf(curve, baseline)),
    ...(encoders.length > 0 && { encoders }),
  };
}

/** What each of several encoders contributed. */
async function encodersOf(
  { scorer, selected, baseline }: Asked,
  joint: Mask,
  { encoders: wanted }: ExplainParams,
  { method, options }: ChosenMethod,
  context: AttributionContext,
): Promise<EncoderContribution[]> {
  const { encoders } = scorer;
  const names = encoders.map(({ name }) => name);
  const contributions = await encoderContributions(scorer, names, joint, selected, { baseline, share: FLIP_SHARE });
  const all: EncoderContribution[] = [];
  for (const [i, view] of encoders.entries()) {
    throwIfAborted(context.signal);
    const { encoder, ...falls } = contributions[i]!;
    const alone = throughEncoder(withBaseline(scorer, baseline), encoder, method.name);
    const map =
      wanted === 'maps' &&
      (await method.attribute(alone, weightsOf(scorer.tokenCount, selected), options, context, joint));
    all.push({ ...view, ...falls, ...(map && { map: stored(map, 'joint', selected, encoder, method.name) }) });
  }
  return all;
}

/** The tokens that get a map of their own, in the answer's order: where there are too many, those with the highest LLR. */
function singleTokens({ answer, selected }: Asked, perToken: boolean | number): number[] {
  const most = perToken === true ? MOST_TOKEN_MAPS : Number(perToken);
  return [...selected]
    .sort((a, b) => answer.tokens[b]!.llr - answer.tokens[a]!.llr)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** w_t: 1 for the tokens to explain, 0 for the others. */
export function weightsOf(count: number, tokens: readonly number[]): Float32Array {
  const weights = new Float32Array(count);
  for (const token of tokens) weights[token] = 1;
  return weights;
}

/** The scorer with which masks that name no baseline take this one. */
export function withBaseline(scorer: Scorer, baseline: BaselineName): Scorer {
  return {
    tokenCount: scorer.tokenCount,
    image: scorer.image,
    logp: (requests) => scorer.logp(requests.map((request) => ({ baseline, ...request }))),
    gradient: (requests) => scorer.gradient(requests.map((request) => ({ baseline, ...request }))),
    featureGradient: (weights, odds) => scorer.featureGradient(weights, odds),
    internals: scorer.internals,
    get evaluations() {
      return scorer.evaluations;
    },
  };
}

/** The scorer with which a mask is seen through one encoder alone. */
function throughEncoder(scorer: Scorer, encoder: string, method: string): Scorer {
  const encoders = [encoder];
  return {
    ...scorer,
    logp: (requests) => scorer.logp(requests.map((request) => ({ encoders, ...request }))),
    gradient: (requests) => scorer.gradient(requests.map((request) => ({ encoders, ...request }))),
    featureGradient: () =>
      Promise.reject(
        new LensError(
          `${method} cannot make a map of one encoder: it reads features that all of them have made together`,
          'Take a method that masks the image, such as igos+, or encoders: true',
        ),
      ),
    get evaluations() {
      return scorer.evaluations;
    },
  };
}

function stored(
  map: Mask,
  role: SaliencyMap['role'],
  tokens: readonly number[],
  label: string,
  method: string,
): SaliencyMap {
  return { label, role, tokens, method, ...encodedMap(map) };
}

/** 'deletion' and 'insertion' with the baseline that was optimised with; others say theirs: 'deletion (black)'. */
function metricOf({ kind, baseline, score }: Curve, optimised: BaselineName): Metric {
  const name = baseline === optimised ? kind : `${kind} (${baseline})`;
  return { name, value: score, better: kind === 'deletion' ? 'lower' : 'higher' };
}
