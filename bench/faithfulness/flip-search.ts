import { readFile } from 'node:fs/promises';
import { filledMask, mapMask } from '../../kernel/attribution/mask.ts';
import { AT_ONCE } from '../../kernel/attribution/probe.ts';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import type { Metric } from '../../kernel/document.ts';
import { answerThrough, FLIP_SHARE } from '../../kernel/engine/tasks/evaluate.ts';
import { BASELINES } from '../../kernel/engine/tasks/question-params.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import { flips } from '../../kernel/metrics/flips.ts';
import { measured } from '../../kernel/metrics/metrics.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { ruler } from './methods.ts';
import type { Asked } from './scenes.ts';

/**
 * No method but a ruler: how many answers change at all when an eighth of the image goes? For each answer and each stand-in that eighth is searched for,
 * block by block, by nothing but what removing it does. Where hundreds of evaluations find none, no map can be blamed for naming none.
 */
export const SEARCH = ruler({
  name: 'a search for flips',
  options: { cells: 32, blocks: 8 },
  source: 'greedy removal of blocks',
});

const { cells, blocks } = SEARCH.options as { cells: number; blocks: number };

/** Whether the answer changes without what a search with each stand-in finds, and what one such search took. */
export async function searchedFlips({ scene, image }: Asked, modelName: string): Promise<Metric[]> {
  const [model, picture] = await Promise.all([openModel(modelName), decodeImage(await readFile(image))]);
  try {
    const { signal } = new AbortController();
    const { question, answer } = scene;
    const scorer = await model.scorer(picture, question, answer, { seed: 0, signal });
    const maxNewTokens = scorer.tokenCount + 1;
    const began = performance.now();
    const found: Metric[] = [];
    for (const baseline of BASELINES) {
      const map = await removalOrder(async (masks) => {
        const logp = await scorer.logp(masks.map((mask) => ({ mask, baseline })));
        return logp.map((each) => Math.min(...each));
      });
      const answerOf = answerThrough(model, picture, question, { baseline, seed: 0, signal, maxNewTokens });
      const flipped = await flips(map, FLIP_SHARE, answer, answerOf);
      found.push(...measured('flips', flipped, baseline).filter(({ name }) => name.includes('deleted')));
    }
    const cost = measured('cost', {
      forward: scorer.evaluations.forward / BASELINES.length,
      gradient: 0,
      milliseconds: (performance.now() - began) / BASELINES.length,
    });
    return [...found, ...cost];
  } finally {
    await model.release();
  }
}

/**
 * Takes an eighth of the image away, block by block, each time the block without which the score is lowest.
 * @param scoresOf the scores of masks; 0 is what is away
 * @returns a map that is hottest where was taken first, and 0 where nothing was
 */
export async function removalOrder(scoresOf: (masks: readonly Mask[]) => Promise<readonly number[]>): Promise<Mask> {
  const size = cells / blocks;
  const blockOf = (cell: number): number =>
    Math.floor(cell / cells / size) * blocks + Math.floor((cell % cells) / size);
  const whole = filledMask(cells, cells, 1);
  const count = Math.round(FLIP_SHARE * blocks ** 2);
  const taken: number[] = [];
  while (taken.length < count) {
    const left = Array.from({ length: blocks ** 2 }, (_, block) => block).filter((block) => !taken.includes(block));
    const masks = left.map((block) =>
      mapMask(whole, (_, cell) => Number(blockOf(cell) !== block && !taken.includes(blockOf(cell)))),
    );
    const scores: number[] = [];
    for (let k = 0; k < masks.length; k += AT_ONCE) scores.push(...(await scoresOf(masks.slice(k, k + AT_ONCE))));
    taken.push(left[scores.indexOf(Math.min(...scores))]!);
  }
  return mapMask(whole, (_, cell) => {
    const turn = taken.indexOf(blockOf(cell));
    return turn < 0 ? 0 : 1 - turn / count;
  });
}
