import { rm } from 'node:fs/promises';
import { METHODS } from './attribution/methods.ts';
import type { BaselineName, Mask } from './attribution/scorer.ts';
import type { CallOptions } from './call-options.ts';
import { defaultEngine } from './default-engine.ts';
import { explained } from './explain.ts';
import { decodeImage } from './image/decode.ts';
import type { PortableImage } from './image/portable.ts';
import { shifted } from './image/shift.ts';
import { measured } from './metrics/metrics.ts';
import type { Metric } from './document.ts';
import type { ExplanationResult, ResultMap } from './results.ts';
import { decodedMap } from './saliency-bytes.ts';

/** What is changed when an explanation is made again: the seed, the picture by one pixel, or the model's weights. */
export const CHECKS = ['seed', 'shift', 'weights'] as const;
export type Check = (typeof CHECKS)[number];

/** Copies of models with their weights shuffled, made when they are asked for and deleted together. */
export class ShuffledModels {
  readonly #made = new Map<string, Promise<{ readonly folder: string; readonly model: string }>>();

  /** The copy's name for `explain`. */
  async of(model: string, options: CallOptions): Promise<string> {
    let made = this.#made.get(model);
    if (made === undefined)
      this.#made.set(model, (made = defaultEngine().call('shuffledModel', { model, seed: 0 }, options)));
    return (await made).model;
  }

  async remove(): Promise<void> {
    for (const made of await Promise.allSettled(this.#made.values())) {
      if (made.status === 'rejected') continue;
      // A file that the system still holds open stays in the folder for temporary files.
      await rm(made.value.folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    }
    this.#made.clear();
  }
}

/**
 * Explains the same tokens of the same answer again, by the same method with the same options, with one thing changed, and compares the maps.
 * Costs one joint map for each check.
 * @param image the explained picture
 */
export async function explainedAgain(
  result: ExplanationResult,
  map: ResultMap,
  image: PortableImage,
  checks: readonly Check[],
  shuffled: ShuffledModels,
  options: CallOptions,
): Promise<Metric[]> {
  const { provenance, explanation } = result;
  const model = result.modelName ?? explanation.model.id;
  const own = Object.keys(METHODS.get(provenance.method)?.schema.shape ?? {});
  const same = {
    model,
    image,
    question: result.question,
    answer: result.answer,
    tokens: [...map.tokens],
    method: {
      name: provenance.method,
      ...Object.fromEntries(Object.entries(provenance.parameters).filter(([name]) => own.includes(name))),
    },
    baseline: provenance.parameters.baseline as BaselineName,
    perToken: false,
    metrics: false,
    seed: provenance.seed,
  } as const;
  const again = async (changed: Partial<Pick<typeof same, 'model' | 'image' | 'seed'>>): Promise<Mask> => {
    const answered = await explained({ ...same, ...changed, ...options }, 'evaluate()');
    return decodedMap(answered.explanation.maps[0]!);
  };
  const found: Record<Check, () => Promise<Metric[]>> = {
    seed: async () => measured('seed', { map, again: await again({ seed: provenance.seed + 1 }) }),
    shift: async () => {
      const picture = await decodeImage(image);
      const { data, width, height } = await shifted(picture, 1, 1);
      const moved = await again({ image: { data, width, height } });
      return measured('shift', { map, again: moved, by: [1 / width, 1 / height] });
    },
    weights: async () => measured('weights', { map, again: await again({ model: await shuffled.of(model, options) }) }),
  };
  const metrics: Metric[] = [];
  for (const check of checks) metrics.push(...(await found[check]()));
  return metrics;
}
