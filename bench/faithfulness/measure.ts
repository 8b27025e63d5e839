import { tokenMaps } from '../../kernel/evaluate.ts';
import { evaluate, explain, LensError } from '../../kernel/index.ts';
import { CHECKS, explainedAgain } from '../../kernel/explain-again.ts';
import type { ShuffledModels } from '../../kernel/explain-again.ts';
import { measured } from '../../kernel/metrics/metrics.ts';
import type { Metric } from '../../kernel/document.ts';
import { regionOf } from '../evidence.ts';
import { SEARCH, searchedFlips } from './flip-search.ts';
import type { Setting } from './methods.ts';
import { valuesOf } from './records.ts';
import type { Part, SceneRecord } from './records.ts';
import { TRUTH, truthMap, withMap } from './truth.ts';
import type { Asked } from './scenes.ts';

/** Of the deletion and insertion curves: 64 of 1024 cells a step. The paper's 52 steps rank maps alike and take three times as long. */
export const STEPS = 16;

type Measure = (asked: Asked, setting: Setting, model: string, shuffled: ShuffledModels) => Promise<readonly Metric[]>;

const explained = (
  { scene, image, tokens, baseline }: Asked,
  { method, preset }: Setting,
  model: string,
  other: { readonly tokens?: readonly number[]; readonly perToken?: boolean } = {},
) =>
  explain({
    image,
    question: scene.question,
    model,
    method,
    preset,
    baseline,
    tokens,
    perToken: false,
    metrics: false,
    ...other,
  });

/** How each part is measured. */
export const MEASURES: Readonly<Record<Part, Measure>> = {
  async map(asked, setting, model) {
    if (setting === SEARCH) return searchedFlips(asked, model);
    const { scene, evidence } = asked;
    const result = await explained(asked, setting, model);
    const truth = scene.evidence.length > 0 ? regionOf(scene, evidence, scene.evidence) : undefined;
    const judged = setting === TRUTH ? withMap(result, truthMap(truth!)) : result;
    const { each } = await evaluate(judged, { steps: STEPS, ...(truth && { truth }) });
    // The time of the map alone: loading, answering and selecting are the same for all.
    const { evaluations, milliseconds } = result.provenance;
    const cost = measured('cost', { ...evaluations, milliseconds: milliseconds['joint map'] ?? 0 });
    const costs = cost.map(({ name }) => name);
    return [...each[0]!.filter(({ name }) => !costs.includes(name)), ...(setting === TRUTH ? [] : cost)];
  },

  async words(asked, setting, model) {
    const { truths, tokens } = asked.words!;
    const result = await explained(asked, setting, model, { tokens, perToken: true });
    const maps = tokenMaps(result);
    return measured('words', { answer: result.answer, words: truths, maps });
  },

  async checks(asked, setting, model, shuffled) {
    const result = await explained(asked, setting, model);
    return explainedAgain(result, result.map!, asked.image, CHECKS, shuffled, {});
  },
};

/** Measures one part; a method that says that it does not work on a model is recorded with its reason. */
export async function measure(
  part: Part,
  asked: Asked,
  setting: Setting,
  model: string,
  shuffled: ShuffledModels,
): Promise<Pick<SceneRecord, 'values' | 'refused'>> {
  try {
    return { values: valuesOf(await MEASURES[part](asked, setting, model, shuffled)) };
  } catch (error) {
    if (error instanceof LensError) return { values: {}, refused: error.message };
    throw error;
  }
}
