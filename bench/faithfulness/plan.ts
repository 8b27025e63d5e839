import { isCore, SETTINGS } from './methods.ts';
import type { Setting } from './methods.ts';
import type { Part } from './records.ts';
import { RULERS } from './rulers.ts';

/** The model on which most is measured. */
export const MAIN = 'pocket';

/** Something to measure: with which settings and models, on how many scenes. */
export interface Round {
  readonly part: Part;
  readonly settings: readonly Setting[];
  readonly models: readonly string[];
  /** The first so many scenes, which are the same for all methods, so that methods can be compared in pairs. */
  readonly scenes: number;
}

/** Thousands of evaluations for one map: measured on the main model and a few scenes alone. */
const DEAR = ['superpixel-search paper'];

/**
 * What is measured, the most important first, so that the table is of use whenever the benchmark is stopped: first the methods that the comparison
 * is about, then all, then the other models, then more scenes.
 */
export function plan(models: readonly string[]): Round[] {
  const core = SETTINGS.filter(isCore);
  const swift = SETTINGS.filter(({ name }) => !DEAR.includes(name));
  const main = models.filter((model) => model === MAIN);
  const others = models.filter((model) => model !== MAIN);
  return [
    { part: 'map', settings: core, models: main, scenes: 27 },
    { part: 'map', settings: SETTINGS, models: main, scenes: 6 },
    { part: 'map', settings: core, models: others, scenes: 4 },
    { part: 'checks', settings: swift, models: main, scenes: 2 },
    { part: 'words', settings: swift, models: main, scenes: 2 },
    { part: 'map', settings: swift, models: others, scenes: 3 },
    { part: 'map', settings: core, models: others, scenes: 9 },
    { part: 'map', settings: swift, models: main, scenes: 18 },
    { part: 'checks', settings: swift, models: main, scenes: 5 },
    { part: 'words', settings: swift, models: main, scenes: 5 },
    { part: 'map', settings: swift, models: others, scenes: 6 },
    { part: 'map', settings: RULERS, models: main, scenes: Infinity },
    // In small steps: what is compared in pairs should have the same scenes wherever it stops.
    ...[36, 45, 54, 63].map((scenes): Round => ({ part: 'map', settings: core, models: main, scenes })),
    { part: 'map', settings: swift, models: main, scenes: 36 },
    { part: 'words', settings: core, models: main, scenes: 18 },
    { part: 'checks', settings: core, models: main, scenes: 18 },
    ...[1, 3].flatMap((scenes): Round[] => [
      { part: 'words', settings: swift, models: others, scenes },
      { part: 'checks', settings: swift, models: others, scenes },
    ]),
    { part: 'map', settings: swift, models: others, scenes: 12 },
    ...[81, 99, 117, 135, Infinity].map((scenes): Round => ({ part: 'map', settings: core, models: main, scenes })),
    { part: 'words', settings: swift, models: main, scenes: 12 },
    { part: 'checks', settings: swift, models: main, scenes: 12 },
    { part: 'map', settings: swift, models: main, scenes: 72 },
    { part: 'map', settings: swift, models: others, scenes: 27 },
  ];
}
