import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Metric } from '../../kernel/document.ts';
import type { Setting } from './methods.ts';
import { MEASURED } from './rulers.ts';

/** What is measured at once: the joint map, the words' maps, or the joint map against others that differ in one thing. */
export type Part = 'map' | 'words' | 'checks';

/** What one method gave for one scene with one model. */
export interface SceneRecord {
  readonly part: Part;
  readonly model: string;
  readonly setting: string;
  /** Of the method's options: a record of other options than today's is not counted. */
  readonly options: string;
  /** The scene's file. */
  readonly scene: string;
  readonly values: Readonly<Record<string, number>>;
  /** Why there are no values: the method does not work on this model. */
  readonly refused?: string;
}

/** Where records gather while the benchmark runs; one file for each process, one record a line. */
const FOLDER = fileURLToPath(new URL('../../out/faithfulness/', import.meta.url));
/** What is kept of them: where a fresh checkout goes on from. */
export const KEPT = fileURLToPath(new URL('../../docs/faithfulness.json', import.meta.url));

export const keyOf = ({ part, model, setting, options, scene }: Omit<SceneRecord, 'values' | 'refused'>): string =>
  [part, model, setting, options, scene].join('\n');

export const optionsHash = ({ options }: Setting): string =>
  createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 8);

export const valuesOf = (metrics: readonly Metric[]): SceneRecord['values'] =>
  Object.fromEntries(metrics.map(({ name, value }) => [name, Number(value.toPrecision(4))]));

/** Adds a record; a process that is killed loses the scene it was at. */
export async function append(record: SceneRecord, process: string): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  await appendFile(path.join(FOLDER, `${process}.jsonl`), `${JSON.stringify(record)}\n`);
}

/** All records: the kept ones and what has gathered here, which counts where both have one. */
export async function gathered(): Promise<SceneRecord[]> {
  const files = (await readdir(FOLDER).catch(() => [])).filter((name) => name.endsWith('.jsonl')).sort();
  const records = existsSync(KEPT) ? await kept() : [];
  for (const file of files) {
    for (const line of (await readFile(path.join(FOLDER, file), 'utf8')).split('\n')) {
      // A line that was cut off when its process was killed is measured again.
      if (line.endsWith('}')) records.push(JSON.parse(line) as SceneRecord);
    }
  }
  return [...new Map(records.map((record) => [keyOf(record), record])).values()];
}

/** Writes what is kept, for good, of all records: those of today's options, without those of some settings. */
export async function keep(without: readonly string[] = []): Promise<SceneRecord[]> {
  const records = (await gathered()).filter(({ setting }) => !without.includes(setting));
  await writeFile(KEPT, compact(records, MEASURED));
  return kept();
}

/** Drops the records of some settings, so that they are measured anew: for a method whose code has changed. */
export async function forget(settings: readonly string[]): Promise<void> {
  await keep(settings);
  await rm(FOLDER, { recursive: true, force: true });
}

/** Records as they are kept: the names once, then one line for each with its values in the names' order. */
interface KeptRecords {
  readonly metrics: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
  readonly records: readonly (readonly [Part, string, string, string, readonly (number | null)[] | string])[];
}

/** The records of today's options as compact JSON. */
export function compact(records: readonly SceneRecord[], settings: readonly Setting[]): string {
  const options = new Map(settings.map((setting) => [setting.name, optionsHash(setting)]));
  const current = records.filter((record) => options.get(record.setting) === record.options);
  const metrics = [...new Set(current.flatMap(({ values }) => Object.keys(values)))];
  const rows = current
    .map(({ part, model, setting, scene, values, refused }) => [
      part,
      model,
      setting,
      scene,
      refused ?? trimmed(metrics.map((metric) => values[metric] ?? null)),
    ])
    .map((row) => JSON.stringify(row))
    .sort();
  const used = [...options].filter(([setting]) => current.some((record) => record.setting === setting));
  return `{"metrics":${JSON.stringify(metrics)},\n"settings":${JSON.stringify(Object.fromEntries(used))},\n"records":[\n${rows.join(',\n')}\n]}\n`;
}

const trimmed = (values: (number | null)[]): (number | null)[] => {
  const last = values.findLastIndex((value) => value !== null);
  return values.slice(0, last + 1);
};

/** The kept records. */
export async function kept(file = KEPT): Promise<SceneRecord[]> {
  const { metrics, settings, records } = JSON.parse(await readFile(file, 'utf8')) as KeptRecords;
  return records.map(([part, model, setting, scene, values]) => ({
    part,
    model,
    setting,
    options: settings[setting]!,
    scene,
    values:
      typeof values === 'string'
        ? {}
        : Object.fromEntries(
            metrics.flatMap((metric, i) => (typeof values[i] === 'number' ? [[metric, values[i]]] : [])),
          ),
    ...(typeof values === 'string' && { refused: values }),
  }));
}
