import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { chosenMethod } from '../kernel/attribution/methods.ts';
import type { MethodChoice } from '../kernel/attribution/methods.ts';
import { ask } from '../kernel/engine/tasks/ask.ts';
import type { Asked } from '../kernel/engine/tasks/ask.ts';
import { weightsOf, withBaseline } from '../kernel/engine/tasks/explain.ts';
import { BASELINES, SelectTokensParams } from '../kernel/engine/tasks/question-params.ts';
import { shuffledModel } from '../kernel/engine/tasks/shuffle-weights.ts';
import { Stopwatch } from '../kernel/engine/tasks/stopwatch.ts';
import { estimate } from '../kernel/metrics/bootstrap.ts';
import type { Estimate } from '../kernel/metrics/bootstrap.ts';
import { energyInside } from '../kernel/metrics/energy-inside.ts';
import { pointingGame } from '../kernel/metrics/pointing-game.ts';
import { regionIou } from '../kernel/metrics/region-iou.ts';
import { removalCurves } from '../kernel/metrics/removal-curves.ts';
import { untrainedLikeness } from '../kernel/metrics/stability.ts';
import type { AnswerScorer, LoadedModel } from '../kernel/model/loaded-model.ts';
import { openModel } from '../kernel/model/open-model.ts';
import { decodedMap, encodedMap } from '../kernel/saliency-bytes.ts';
import { ablationFigure } from './ablation-figure.ts';
import { picturePath, readEvidence, regionOf } from './evidence.ts';
import { writeFigures } from './faithfulness/figures.ts';
import type { Evidence, EvidenceScene } from './evidence.ts';

/** `lens` with one of its ingredients taken away or changed at a time, and the paper's iGOS+ beside it. */
const SETTINGS: Readonly<Record<string, MethodChoice>> = {
  lens: { name: 'lens' },
  'log p, not log-odds': { name: 'lens', odds: 0 },
  'one baseline': { name: 'lens', baselines: ['own'] },
  'no noise': { name: 'lens', noise: 0 },
  'no regulariser': { name: 'lens', l1: 0, l3: 0 },
  'no momentum': { name: 'lens', momentum: 0 },
  'larger steps': { name: 'lens', learningRate: 0.7, momentum: 0.3 },
  '10 iterations, 1 place': { name: 'lens', iterations: 10, integrationSteps: 1 },
  '3 iterations': { name: 'lens', iterations: 3 },
  'no smoothing': { name: 'lens', smoothing: 0 },
  'smoothing over edges': { name: 'lens', smoothing: 1.5, tolerance: 0 },
  'no contrast': { name: 'lens', knee: 0 },
  'no checks': { name: 'lens', spots: 0 },
  'checks by one baseline': { name: 'lens', spotBaselines: ['own'] },
  '5 checks': { name: 'lens', spots: 5 },
  'igos+ paper': { name: 'igos+', preset: 'paper' },
};

/** Rows and columns of the masks. */
const MASK_SIZE = 32;

/** Of deletion and insertion; few, as every setting is measured with four baselines. */
const STEPS = 8;

/** Measures that are counts, the same for every scene. */
const COSTS = ['gradients', 'forwards'];

/** What a setting gave on one scene, by measure. */
type Values = Readonly<Record<string, number>>;

/** A mean, and how it differs from that of `lens` on the same scenes. */
interface Compared {
  readonly value: Estimate | null;
  readonly difference: Estimate | null;
}

/**
 * What does each ingredient of `lens` do? Explains the same questions with one ingredient changed at a time. Pointing game, energy inside and IoU at
 * Otsu's threshold against the evidence; deletion and insertion as the mean over the four baselines; likeness to the map
 * of the model with shuffled weights. Means and paired differences from `lens` with 95 % bootstrap intervals.
 *
 * `--scenes <folder>` takes other scenes than test/evidence, in the same format: those by which something is tuned must not be those by which it
 * is judged. `python -m training.evidence` makes them when its SEED is changed. `--figure` draws docs/images/lens/ablation.svg.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      limit: { type: 'string', default: '40' },
      scenes: { type: 'string' },
      seed: { type: 'string', default: '0' },
      figure: { type: 'boolean', default: false },
      settings: { type: 'string', default: Object.keys(SETTINGS).join(',,') },
    },
  });
  const seed = Number(values.seed);
  const folder = values.scenes === undefined ? undefined : pathToFileURL(`${path.resolve(values.scenes)}/`);
  const names = [...new Set(['lens', ...values.settings.split(',,')])];
  const unknown = names.find((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown !== undefined) {
    throw new Error(
      `there is no setting "${unknown}". There are, to be joined by ",,": ${Object.keys(SETTINGS).join(',, ')}`,
    );
  }
  const evidence = await readEvidence(folder);
  const scenes = evidence.scenes.filter(({ needsImage }) => needsImage).slice(0, Number(values.limit));
  const model = await openModel(evidence.model);
  const { folder: shuffled } = await shuffledModel.run({
    ...contextOf(model),
    params: { model: evidence.model, seed: 0 },
  });
  const measured = new Map<string, Values[]>(names.map((name) => [name, []]));
  try {
    const untrained = await openModel(shuffled);
    for (const [i, scene] of scenes.entries()) {
      console.error(`scene ${i + 1} of ${scenes.length}`);
      const image = await readFile(picturePath(scene, folder));
      const question = { model: evidence.model, image, question: scene.question, seed };
      const asked = await askModel(model, question);
      const { answer, selected, baseline } = asked;
      if (answer.text.trim() !== scene.answer || selected.length === 0) continue;
      const same = { answer: answer.text, tokens: [...selected], baseline };
      const nothingLearnt = await askModel(untrained, { ...question, ...same });
      for (const [name, all] of measured) {
        all.push(await measure(asked, nothingLearnt, scene, evidence, SETTINGS[name]!, seed));
      }
    }
    await Promise.all([model.release(), untrained.release()]);
  } finally {
    await rm(shuffled, { recursive: true, force: true });
  }

  const explained = measured.get('lens')!.length;
  const settings = Object.fromEntries(
    names.map((name) => [name, compared(measured.get(name)!, measured.get('lens')!, seed)]),
  );
  const report = {
    bench: 'ablation',
    model: evidence.model,
    seed,
    scenes: values.scenes ?? 'test/evidence',
    explained,
    settings,
  };
  if (values.figure) {
    const differences = Object.fromEntries(
      Object.entries(settings).map(([name, measures]) => [
        name,
        Object.fromEntries(Object.entries(measures).map(([measure, { difference }]) => [measure, difference])),
      ]),
    );
    await writeFigures([ablationFigure(differences, explained)], 'lens');
  }
  console.log(values.json ? JSON.stringify(report) : table(explained, settings));
}

/** What a task runs in where there is but one model, and nobody to stop it or to watch. */
const contextOf = (model: LoadedModel) => ({
  models: { open: () => Promise.resolve(model) },
  signal: new AbortController().signal,
  onProgress: () => undefined,
});

function askModel(model: LoadedModel, question: z.input<typeof SelectTokensParams>): Promise<Asked> {
  return ask({ ...contextOf(model), params: SelectTokensParams.parse(question) }, new Stopwatch(), MASK_SIZE);
}

async function measure(
  { scorer, selected, baseline }: Asked,
  nothingLearnt: Asked,
  scene: EvidenceScene,
  evidence: Evidence,
  choice: MethodChoice,
  seed: number,
): Promise<Values> {
  const { method, options } = chosenMethod(choice);
  const weights = weightsOf(scorer.tokenCount, selected);
  // As a document stores it: what one byte cannot tell apart no reader of a map can.
  const mapOf = async (of: AnswerScorer) =>
    decodedMap(encodedMap(await method.attribute(withBaseline(of, baseline), weights, options, { seed })));
  const before = { ...scorer.evaluations };
  const map = await mapOf(scorer);
  const gradients = scorer.evaluations.gradient - before.gradient;
  const forwards = scorer.evaluations.forward - before.forward;
  const curves = [];
  for (const name of BASELINES)
    curves.push(await removalCurves(scorer, map, selected, { baseline: name, steps: STEPS }));
  const measurable = curves.filter((curve) => curve !== undefined);
  const score = (kind: 'deletion' | 'insertion') =>
    measurable.reduce((sum, curve) => sum + curve[kind].score / measurable.length, 0);
  const region = scene.evidence.length > 0 ? regionOf(scene, evidence, scene.evidence) : undefined;
  return {
    gradients,
    forwards,
    ...(region && {
      pointing: pointingGame(map, region),
      energy: energyInside(map, region),
      'Otsu IoU': regionIou(map, region).otsu,
    }),
    ...(measurable.length > 0 && { deletion: score('deletion'), insertion: score('insertion') }),
    likeness: untrainedLikeness(map, await mapOf(nothingLearnt.scorer)),
  };
}

function compared(values: readonly Values[], lens: readonly Values[], seed: number): Record<string, Compared> {
  const measures = [...new Set(values.flatMap((each) => Object.keys(each)))];
  return Object.fromEntries(
    measures.map((measure) => {
      const pairs = values.flatMap((each, i) =>
        measure in each ? [[each[measure]!, lens[i]![measure]!] as const] : [],
      );
      return [
        measure,
        {
          value: estimate(
            pairs.map(([value]) => value),
            seed,
          ),
          difference: estimate(
            pairs.map(([value, other]) => value - other),
            seed,
          ),
        },
      ];
    }),
  );
}

/** Markdown: the means, and where the interval of the difference from `lens` leaves out 0, that difference. */
function table(explained: number, settings: Readonly<Record<string, Readonly<Record<string, Compared>>>>): string {
  const measures = Object.keys(settings.lens!);
  const cell = ({ value, difference }: Compared): string => {
    if (value === null) return '';
    const [low, high] = difference?.interval ?? [0, 0];
    const differs = low > 0 || high < 0;
    const sign = (x: number) => `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(3)}`;
    return `${value.mean.toFixed(3).replace('-', '−')}${differs ? ` (${sign(difference!.mean)}: ${sign(low)} … ${sign(high)})` : ''}`;
  };
  const rows = Object.entries(settings).map(
    ([name, values]) =>
      `| ${[name, ...measures.map((m) => (COSTS.includes(m) ? values[m]!.value!.mean.toFixed(0) : cell(values[m]!)))].join(' | ')} |`,
  );
  return [
    `${explained} answers; in brackets the paired difference from lens with its 95 % interval, where that leaves out 0`,
    '',
    `| | ${measures.join(' | ')} |`,
    `|---|${measures.map(() => '---').join('|')}|`,
    ...rows,
  ].join('\n');
}
