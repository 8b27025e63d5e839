import type { Mask } from '../attribution/scorer.ts';
import type { Metric } from '../document.ts';
import { energyInside } from './energy-inside.ts';
import type { Flips } from './flips.ts';
import { pointingGame } from './pointing-game.ts';
import type { PixelMask } from './pointing-game.ts';
import { regionIou } from './region-iou.ts';
import { isNormalisable, rawScore } from './removal-curves.ts';
import type { RemovalCurves } from './removal-curves.ts';
import { stability, untrainedLikeness } from './stability.ts';
import { wordIou } from './word-iou.ts';
import type { TokenMap, WordTruth } from './word-iou.ts';

/** What metrics are computed from. One measurement may serve several metrics. */
export interface Measurements {
  /** Cells removed and brought back with one baseline. */
  readonly curves: RemovalCurves;
  /** The answer given anew, with one baseline. */
  readonly flips: Flips;
  /** A joint map, and where the evidence lies. */
  readonly located: { readonly map: Mask; readonly truth: PixelMask };
  /** Token maps, and where the things lie that the answer's words name. */
  readonly words: {
    readonly answer: string;
    readonly words: readonly WordTruth[];
    readonly maps: readonly TokenMap[];
  };
  /** The same explanation with another seed. */
  readonly seed: { readonly map: Mask; readonly again: Mask };
  /** The same explanation of the picture moved; by which share of its width and height. */
  readonly shift: { readonly map: Mask; readonly again: Mask; readonly by: readonly [number, number] };
  /** The same explanation by the model with its weights shuffled. */
  readonly weights: { readonly map: Mask; readonly again: Mask };
  /** What making the explanation took. */
  readonly cost: { readonly forward: number; readonly gradient: number; readonly milliseconds: number };
}

export type Measurement = keyof Measurements;

/** A metric: what it is called, which way it is better, what it may be, and how it is computed. */
export interface MetricRow<From extends Measurement = Measurement> {
  readonly name: string;
  readonly better: 'higher' | 'lower';
  /** Least and greatest value. */
  readonly range: readonly [number, number];
  /** One sentence for tables. */
  readonly summary: string;
  readonly from: From;
  /** Undefined where this measurement says nothing of it. */
  readonly value: (measured: Measurements[From]) => number | undefined;
}

/** Measurements that are made once for each baseline; their metrics are named with it: 'deletion (blur)'. */
export const PER_BASELINE: readonly Measurement[] = ['curves', 'flips'];

const ANY = [-Infinity, Infinity] as const;
const SHARE = [0, 1] as const;
const COUNT = [0, Infinity] as const;

/** Every metric. A new one is one file beside this and one row here; `evaluate()`, the benchmark and its tables follow. */
export const METRICS: readonly MetricRow[] = [
  ...from('curves', [
    {
      name: 'deletion',
      better: 'lower',
      range: ANY,
      summary: 'mean normalised probability while the most salient cells are removed; 1 is the image, 0 the baseline',
      value: (curves) => (isNormalisable(curves) ? curves.deletion.score : undefined),
    },
    {
      name: 'insertion',
      better: 'higher',
      range: ANY,
      summary: 'the same while they are brought back into the baseline',
      value: (curves) => (isNormalisable(curves) ? curves.insertion.score : undefined),
    },
    {
      name: 'raw deletion',
      better: 'lower',
      range: SHARE,
      summary: 'deletion as a probability, not normalised',
      value: (curves) => rawScore(curves.deletion, curves),
    },
    {
      name: 'raw insertion',
      better: 'higher',
      range: SHARE,
      summary: 'insertion as a probability, not normalised',
      value: (curves) => rawScore(curves.insertion, curves),
    },
  ]),
  ...from('flips', [
    {
      name: 'flips when deleted',
      better: 'higher',
      range: SHARE,
      summary: 'share of answers that change when the most salient 12.5 % of the image is gone',
      value: ({ deleted }) => Number(deleted),
    },
    {
      name: 'flips when kept',
      better: 'lower',
      range: SHARE,
      summary: 'share of answers that change when nothing but the most salient 12.5 % is left',
      value: ({ kept }) => Number(kept),
    },
  ]),
  ...from('located', [
    {
      name: 'pointing game',
      better: 'higher',
      range: SHARE,
      summary: 'share of maps whose maximum lies on the evidence',
      value: ({ map, truth }) => pointingGame(map, truth),
    },
    {
      name: 'energy inside',
      better: 'higher',
      range: SHARE,
      summary: 'share of the heat that lies on the evidence',
      value: ({ map, truth }) => energyInside(map, truth),
    },
    {
      name: 'IoU, best threshold',
      better: 'higher',
      range: SHARE,
      summary: 'overlap with the evidence at the threshold that suits it best',
      value: ({ map, truth }) => regionIou(map, truth).best,
    },
    {
      name: 'IoU, Otsu',
      better: 'higher',
      range: SHARE,
      summary: 'overlap with the evidence at Otsu’s threshold',
      value: ({ map, truth }) => regionIou(map, truth).otsu,
    },
  ]),
  ...from('words', [
    {
      name: 'Obj-IoU',
      better: 'higher',
      range: SHARE,
      summary: 'overlap of an object word’s map with its object, at Otsu’s threshold',
      value: ({ answer, words, maps }) => wordIou(answer, words, maps).obj,
    },
    {
      name: 'Func-IoU',
      better: 'higher',
      range: SHARE,
      summary: 'share of a function word’s map that stays below the object words’ threshold',
      value: ({ answer, words, maps }) => wordIou(answer, words, maps).func,
    },
    {
      name: 'F1-IoU',
      better: 'higher',
      range: SHARE,
      summary: 'harmonic mean of both, answer by answer',
      value: ({ answer, words, maps }) => wordIou(answer, words, maps).f1,
    },
  ]),
  ...from('seed', [
    {
      name: 'seed stability',
      better: 'higher',
      range: [-1, 1],
      summary: 'rank correlation with the map made with another seed',
      value: ({ map, again }) => stability(map, again),
    },
  ]),
  ...from('shift', [
    {
      name: 'shift stability',
      better: 'higher',
      range: [-1, 1],
      summary: 'rank correlation with the map of the picture moved by one pixel, moved back',
      value: ({ map, again, by }) => stability(map, again, by),
    },
  ]),
  ...from('weights', [
    {
      name: 'untrained likeness',
      better: 'lower',
      range: SHARE,
      summary: 'absolute rank correlation with the map of the model with its weights shuffled',
      value: ({ map, again }) => untrainedLikeness(map, again),
    },
  ]),
  ...from('cost', [
    {
      name: 'gradient evaluations',
      better: 'lower',
      range: COUNT,
      summary: 'gradients that the explanation took',
      value: ({ gradient }) => gradient,
    },
    {
      name: 'forward evaluations',
      better: 'lower',
      range: COUNT,
      summary: 'passes without a gradient that the explanation took',
      value: ({ forward }) => forward,
    },
    {
      name: 'milliseconds',
      better: 'lower',
      range: COUNT,
      summary: 'time that the explanation took',
      value: ({ milliseconds }) => milliseconds,
    },
  ]),
];

function from<From extends Measurement>(
  measurement: From,
  rows: readonly Omit<MetricRow<From>, 'from'>[],
): MetricRow[] {
  // `measured` checks by the row's own measurement, which the list's common type no longer shows.
  return rows.map((row) => ({ ...row, from: measurement }) as unknown as MetricRow);
}

/**
 * All metrics of one measurement.
 * @param baseline of a measurement that is made once for each
 */
export function measured<From extends Measurement>(
  measurement: From,
  measuring: Measurements[From],
  baseline?: string,
): Metric[] {
  return METRICS.filter((row) => row.from === measurement).flatMap(({ name, better, value }) => {
    const found = (value as MetricRow<From>['value'])(measuring);
    return found === undefined ? [] : [{ name: metricName(name, baseline), value: found, better }];
  });
}

/** 'deletion (blur)', or the name alone for what knows no baseline. */
export const metricName = (name: string, baseline?: string): string =>
  baseline === undefined ? name : `${name} (${baseline})`;

/** The row of a metric by its name, with or without a baseline. */
export const metricRow = (name: string): MetricRow | undefined =>
  METRICS.find((row) => name === row.name || name.startsWith(`${row.name} (`));
