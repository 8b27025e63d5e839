import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inspect } from 'node:util';
import { ResultsFile } from './dataset/results-file.ts';
import type { DatasetRow, RowKey } from './dataset/results-file.ts';
import type { LensDocument } from './document.ts';
import { LensError } from './errors.ts';
import { estimate } from './metrics/bootstrap.ts';
import type { Estimate } from './metrics/bootstrap.ts';
import { escapeMarkdown } from './report/markdown.ts';
import { ExplanationResult } from './results.ts';

/** What a cell's last expression is asked for, in every JavaScript kernel that knows the convention. */
const DISPLAY = Symbol.for('Jupyter.display');

/** The rows of one model and one method, taken together: means with 95 % bootstrap intervals, null where there is nothing to average. */
export interface DatasetSummary {
  readonly model: string;
  readonly method: string;
  readonly done: number;
  readonly failed: number;
  /** Share of right answers, of those that have references. */
  readonly accuracy: Estimate | null;
  /** Share of answers that depend on the image. */
  readonly dependsOnImage: Estimate | null;
  /** The smallest share of the image that holds half of the heat. */
  readonly focus: Estimate | null;
  /** By name: 'deletion', 'insertion', … */
  readonly metrics: Readonly<Record<string, Estimate>>;
  /** Of one sample. */
  readonly seconds: Estimate | null;
}

/** How the columns of a summary are called. */
const MEASURES = [
  ['accuracy', ({ accuracy }: DatasetSummary) => accuracy],
  ['depends on the image', ({ dependsOnImage }: DatasetSummary) => dependsOnImage],
  ['focus', ({ focus }: DatasetSummary) => focus],
] as const;

/** At most so many failures are told of, the others counted. */
const FAILURES_SHOWN = 5;

/** What `explainDataset` gives: the rows of its file and what they say together. */
export class DatasetResult {
  /** The DuckDB file, absolute. */
  readonly file: string;
  /** In the order in which they were recorded. */
  readonly rows: readonly DatasetRow[];
  /** Rows of this call that were in the file before. */
  readonly earlier: number;

  constructor(
    file: string,
    rows: readonly DatasetRow[],
    { earlier = rows.length }: { readonly earlier?: number } = {},
  ) {
    this.file = file;
    this.rows = rows;
    this.earlier = earlier;
  }

  get counts(): { readonly samples: number; readonly done: number; readonly failed: number; readonly earlier: number } {
    return {
      samples: new Set(this.rows.map(({ sample }) => sample)).size,
      done: this.rows.filter(({ status }) => status === 'done').length,
      failed: this.failures.length,
      earlier: this.earlier,
    };
  }

  /** Rows of samples that failed, with the reason as `problem`. */
  get failures(): readonly DatasetRow[] {
    return this.rows.filter(({ status }) => status === 'failed');
  }

  /** For each model and method. */
  get summary(): readonly DatasetSummary[] {
    const keys = [...new Set(this.rows.map(groupOf))];
    return keys.map((key) => summaryOf(this.rows.filter((row) => groupOf(row) === key)));
  }

  /**
   * The explanation of a sample, with its picture and its maps.
   * @param which model and method, where the file has several
   * @throws LensError where there is none, or it failed
   */
  async explanation(sample: string, which: Partial<Omit<RowKey, 'sample'>> = {}): Promise<ExplanationResult> {
    const row = this.rows.find(
      (each) =>
        each.sample === sample &&
        (which.model === undefined || each.model === which.model) &&
        (which.method === undefined || each.method === which.method),
    );
    if (row === undefined) throw new LensError(`there is no sample "${sample}" in "${this.file}"`, 'See `rows`');
    if (row.status === 'failed') throw new LensError(`the sample "${sample}" failed: ${row.problem ?? ''}`);
    const results = await ResultsFile.openExisting(this.file);
    try {
      return new ExplanationResult((await results.document(row)) as LensDocument);
    } finally {
      await results.close();
    }
  }

  /**
   * Writes the rows to a file. @param file its ending says as what: .parquet, .csv or .json (all columns, documents too), or .md (the
   * summary)
   * @returns the file's absolute path
   */
  async save(file: string): Promise<string> {
    if (path.extname(file).toLowerCase() === '.md') {
      await writeFile(file, `${this.markdown()}\n`);
    } else {
      const results = await ResultsFile.openExisting(this.file);
      try {
        await results.copy(file);
      } finally {
        await results.close();
      }
    }
    return path.resolve(file);
  }

  [DISPLAY](): Record<string, string> {
    return { 'text/markdown': this.markdown(), 'text/plain': this.text() };
  }

  [inspect.custom](): string {
    return this.text();
  }

  /** The summary as Markdown. */
  markdown(): string {
    const { heading, rows } = this.#table();
    return [
      `${this.#count()} In \`${escapeMarkdown(path.basename(this.file))}\`.`,
      '',
      ...[heading, heading.map(() => '---'), ...rows.map((cells) => cells.map(escapeMarkdown))].map(
        (cells) => `| ${cells.join(' | ')} |`,
      ),
      ...this.#problems().map(([sample, problem]) => `\n- ${escapeMarkdown(sample)}: ${escapeMarkdown(problem)}`),
    ].join('\n');
  }

  /** The summary as plain text. */
  text(): string {
    const { heading, rows } = this.#table();
    const widths = heading.map((name, i) => Math.max(name.length, ...rows.map((cells) => cells[i]!.length)));
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd();
    return [
      this.#count(),
      line(heading),
      ...rows.map(line),
      ...this.#problems().map(([sample, problem]) => `${sample}: ${problem}`),
    ].join('\n');
  }

  #count(): string {
    const { samples, done, failed, earlier } = this.counts;
    const again = earlier > 0 && earlier < this.rows.length ? `, ${earlier} of them before this run` : '';
    return `${samples} ${samples === 1 ? 'sample' : 'samples'}: ${done} explained${again}${failed > 0 ? `, ${failed} failed` : ''}.`;
  }

  #table(): { heading: string[]; rows: string[][] } {
    const summaries = this.summary;
    const metrics = [...new Set(summaries.flatMap((summary) => Object.keys(summary.metrics)))];
    const measures = [
      ...MEASURES.filter(([, of]) => summaries.some((summary) => of(summary) !== null)),
      ...metrics.map((name) => [name, ({ metrics: all }: DatasetSummary) => all[name] ?? null] as const),
    ];
    return {
      heading: ['model', 'method', 'n', ...measures.map(([name]) => name)],
      rows: summaries.map((summary) => [
        summary.model,
        summary.method,
        String(summary.done),
        ...measures.map(([, of]) => shown(of(summary))),
      ]),
    };
  }

  #problems(): [string, string][] {
    const { failures } = this;
    const told = failures
      .slice(0, FAILURES_SHOWN)
      .map(({ sample, problem }): [string, string] => [`${sample} failed`, problem ?? '']);
    const others = failures.length - told.length;
    return others > 0 ? [...told, ['and', `${others} more that failed`]] : told;
  }
}

const groupOf = ({ model, method }: DatasetRow): string => JSON.stringify([model, method]);

function summaryOf(rows: readonly DatasetRow[]): DatasetSummary {
  const { model, method } = rows[0]!;
  const done = rows.filter(({ status }) => status === 'done');
  const mean = (of: (row: DatasetRow) => number | boolean | null | undefined): Estimate | null =>
    estimate(done.map(of).flatMap((value) => (value === null || value === undefined ? [] : [Number(value)])));
  const names = [...new Set(done.flatMap(({ metrics }) => Object.keys(metrics ?? {})))];
  return {
    model,
    method,
    done: done.length,
    failed: rows.length - done.length,
    accuracy: mean(({ correct }) => correct),
    dependsOnImage: mean((row) => row.depends_on_image),
    focus: mean(({ focus }) => focus),
    metrics: Object.fromEntries(names.map((name) => [name, mean(({ metrics }) => metrics?.[name])!])),
    seconds: mean(({ seconds }) => seconds),
  };
}

function shown(estimate: Estimate | null): string {
  if (estimate === null) return '';
  const { mean, interval } = estimate;
  const range = interval === null ? '' : ` (${interval[0].toFixed(2)} … ${interval[1].toFixed(2)})`;
  return `${mean.toFixed(3)}${range}`;
}
