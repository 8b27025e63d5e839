import { inspect } from 'node:util';
import type { Metric } from './document.ts';
import { estimate } from './metrics/bootstrap.ts';
import type { Estimate } from './metrics/bootstrap.ts';

/** What a cell's last expression is asked for, in every JavaScript kernel that knows the convention. */
const DISPLAY = Symbol.for('Jupyter.display');

/** The one metric that is no property of a map. */
const TIME = 'milliseconds';

/** A measure over several explanations: mean, 95 % bootstrap interval and count. */
export interface Measure extends Estimate {
  readonly name: string;
  readonly better?: 'higher' | 'lower';
}

/** What `evaluate` gives. */
export class EvaluationResult {
  /** Of each explanation; null where it has no map. */
  readonly each: readonly (readonly Metric[] | null)[];
  /** Means over the explanations that have a map. */
  readonly measures: readonly Measure[];

  constructor(each: readonly (readonly Metric[] | null)[], seed = 0) {
    this.each = each;
    const all = each.flatMap((metrics) => metrics ?? []).filter(({ name }) => name !== TIME);
    const names = [...new Set(all.map(({ name }) => name))];
    this.measures = names.map((name) => {
      const those = all.filter((metric) => metric.name === name);
      const { better } = those[0]!;
      const values = those.map(({ value }) => value);
      return { name, ...(better && { better }), ...estimate(values, seed)! };
    });
  }

  /** Means by name. */
  get means(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.measures.map(({ name, mean }) => [name, mean]));
  }

  /** How long the explanations took, in milliseconds; not among the measures, since it is another each time and on each machine. */
  get milliseconds(): Estimate | null {
    const all = this.each.flatMap((metrics) => metrics ?? []);
    return estimate(all.filter(({ name }) => name === TIME).map(({ value }) => value));
  }

  /** How many explanations have a map. */
  get count(): number {
    return this.each.filter((metrics) => metrics !== null).length;
  }

  [DISPLAY](): Record<string, string> {
    return { 'text/markdown': this.markdown(), 'text/plain': this.text() };
  }

  [inspect.custom](): string {
    return this.text();
  }

  private markdown(): string {
    const rows = this.measures.map(
      ({ name, better = '', mean, interval, count }) =>
        `| ${name} | ${better} | ${mean.toFixed(3)} | ${shown(interval)} | ${count} |`,
    );
    return [
      this.heading(),
      '',
      '| measure | better | mean | 95 % interval | n |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  }

  private text(): string {
    const width = Math.max(0, ...this.measures.map(({ name }) => name.length));
    const lines = this.measures.map(({ name, mean, interval }) =>
      `${name.padEnd(width)}  ${mean.toFixed(3).padStart(7)}  ${shown(interval)}`.trimEnd(),
    );
    return [this.heading(), ...lines].join('\n');
  }

  private heading(): string {
    const without = this.each.length - this.count;
    const maps = `${this.count} ${this.count === 1 ? 'map' : 'maps'}`;
    return `Faithfulness of ${maps}${without > 0 ? `; ${without === 1 ? '1 answer does' : `${without} answers do`} not depend on the image and ${without === 1 ? 'has' : 'have'} none` : ''}`;
  }
}

const shown = (interval: Estimate['interval']): string =>
  interval === null ? '' : `${interval[0].toFixed(3)} … ${interval[1].toFixed(3)}`;
