import { estimate } from '../../kernel/metrics/bootstrap.ts';
import type { Estimate } from '../../kernel/metrics/bootstrap.ts';
import { METRICS, metricName, metricRow, PER_BASELINE } from '../../kernel/metrics/metrics.ts';
import { holm, pairedTest } from '../../kernel/metrics/paired.ts';
import type { PairedTest } from '../../kernel/metrics/paired.ts';
import { BASELINES } from '../../kernel/engine/tasks/question-params.ts';
import type { SceneRecord } from './records.ts';
import { isRuler } from './rulers.ts';

/** Of two methods: which one does better by a metric, as far as the scenes tell. */
export type Verdict = 'better' | 'worse' | 'no difference shown';

/** A below this is a finding. */
export const ALPHA = 0.05;

export interface Comparison extends PairedTest {
  readonly metric: string;
  readonly setting: string;
  /** Corrected for the number of settings that ours is compared with by this metric. */
  readonly corrected: number;
  /** Of ours. */
  readonly verdict: Verdict;
}

/** Names of all metrics in the table's order, those with baselines once for each. */
export const METRIC_NAMES: readonly string[] = METRICS.flatMap(({ name, from }) =>
  PER_BASELINE.includes(from) ? BASELINES.map((baseline) => metricName(name, baseline)) : [name],
);

/** What has been measured of one model. */
export class Summary {
  readonly model: string;
  /** In the order of the first record. */
  readonly settings: readonly string[];
  readonly #values = new Map<string, Map<string, number>>();
  readonly #refused = new Map<string, string>();

  constructor(model: string, records: readonly SceneRecord[], order: readonly string[]) {
    this.model = model;
    const mine = records.filter((record) => record.model === model);
    this.settings = order.filter((name) => mine.some(({ setting }) => setting === name));
    for (const { setting, scene, values, refused } of mine) {
      if (refused !== undefined) this.#refused.set(setting, refused);
      for (const [metric, value] of Object.entries(values)) {
        const key = `${setting}\n${metric}`;
        const scenes = this.#values.get(key) ?? new Map<string, number>();
        this.#values.set(key, scenes.set(scene, value));
      }
    }
  }

  /** Values by scene. */
  values(setting: string, metric: string): ReadonlyMap<string, number> {
    return this.#values.get(`${setting}\n${metric}`) ?? new Map();
  }

  estimate(setting: string, metric: string): Estimate | null {
    return estimate([...this.values(setting, metric).values()]);
  }

  /** Why a method gives nothing for this model. */
  refusal(setting: string): string | undefined {
    return this.estimate(setting, METRIC_NAMES[0]!) === null ? this.#refused.get(setting) : undefined;
  }

  /** The values of two settings on the scenes that both have, in one order. */
  pairs(one: string, other: string, metric: string): { a: number[]; b: number[] } {
    const [mine, theirs] = [this.values(one, metric), this.values(other, metric)];
    const scenes = [...mine.keys()].filter((scene) => theirs.has(scene)).sort();
    return { a: scenes.map((scene) => mine.get(scene)!), b: scenes.map((scene) => theirs.get(scene)!) };
  }

  /** One setting against each of the others by one metric, on the scenes that both have, with Holm's correction for their number. */
  comparisons(
    ours: string,
    metric: string,
    others: readonly string[] = this.settings.filter((name) => !isRuler(name)),
  ): Comparison[] {
    const higher = metricRow(metric)?.better === 'higher';
    const tests = others
      .filter((setting) => setting !== ours)
      .map((setting) => {
        const { a, b } = this.pairs(ours, setting, metric);
        return { setting, test: pairedTest(a, b) };
      })
      .filter(({ test }) => test.count > 1);
    const corrected = holm(tests.map(({ test }) => test.p));
    return tests.map(({ setting, test }, i) => {
      const found = corrected[i]! < ALPHA;
      const better = test.difference > 0 === higher;
      return {
        metric,
        setting,
        ...test,
        corrected: corrected[i]!,
        verdict: found ? (better ? 'better' : 'worse') : 'no difference shown',
      };
    });
  }
}
