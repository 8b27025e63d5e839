import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { LensError } from '../errors.ts';
import { didYouMean } from '../nearest.ts';
import { checked } from '../options.ts';
import type { DatasetFormat, FormatSite } from './format.ts';
import { FORMATS, RECORDS } from './formats.ts';
import { pictureInside } from './inside.ts';
import type { DatasetRecord } from './records/record.ts';
import type { DatasetSample } from './sample.ts';

export interface ReadDatasetOptions {
  /** 'mmvp', 'cv-bench', 'llava-bench' or 'mmstar'. Default: told from the file's name and fields. */
  readonly format?: string | undefined;
  /** Folder with the pictures. Default: the one that the benchmark has beside its questions. */
  readonly images?: string | undefined;
  /** Whether the model chooses from the options, where a benchmark has any, or answers in its own words (default). */
  readonly withChoices?: boolean | undefined;
  /** At most so many samples, the first ones. Default: all. */
  readonly limit?: number | undefined;
}

const Options = z.strictObject({
  format: z.string().optional(),
  images: z.string().min(1).optional(),
  withChoices: z.boolean().default(false),
  limit: z.int().min(1).optional(),
});

/**
 * Reads a benchmark in its own format: MMVP (CSV), CV-Bench and LLaVA-Bench (JSONL), MMStar (Parquet). Pictures are read when their
 * sample's turn comes, and from the dataset's folder only. A line that is not as it should be becomes a sample that says so.
 * @param file the questions' file, or the benchmark's folder
 * @throws LensError where there is no such file or it is of no known format
 */
export async function readDataset(file: string, options: ReadDatasetOptions = {}): Promise<DatasetSample[]> {
  const { format: named, images, withChoices, limit } = checked(Options, options, 'readDataset()');
  const files = questionFiles(path.resolve(file), named);
  const samples: DatasetSample[] = [];
  const seen = new Set<string>();
  for (const each of files) {
    const records = await recordsOf(each);
    const format = named === undefined ? formatOf(each, records) : formatNamed(named);
    const folder = path.dirname(each);
    const pictures = images === undefined ? path.join(folder, format.images ?? '.') : path.resolve(images);
    const site: FormatSite = {
      withChoices,
      picture: (name) => () => pictureInside(pictures, name),
      answers: await answersOf(format, folder),
    };
    for (const record of records) {
      if (samples.length === limit) return samples;
      samples.push(unique(sampleOf(record, format, site, path.basename(each)), record, seen));
    }
  }
  return samples;
}

/** The file itself, or those of a folder that a benchmark calls so. */
function questionFiles(file: string, named: string | undefined): readonly string[] {
  if (!existsSync(file)) throw new LensError(`there is no dataset "${file}"`, 'Check the path');
  if (!statSync(file).isDirectory()) return [file];
  const formats = named === undefined ? FORMATS : [formatNamed(named)];
  for (const { files } of formats) {
    const found = files.map((name) => path.join(file, name)).filter((each) => existsSync(each));
    if (found.length > 0) return found;
  }
  const names = formats.flatMap(({ files }) => files).join(', ');
  throw new LensError(`the folder "${file}" has no questions of a known benchmark`, `Known are ${names}`);
}

async function recordsOf(file: string): Promise<readonly DatasetRecord[]> {
  const read = RECORDS[path.extname(file).toLowerCase()];
  if (read) return read(file);
  throw new LensError(`cannot read the dataset "${file}"`, `Its name must end in ${Object.keys(RECORDS).join(', ')}`);
}

function formatNamed(name: string): DatasetFormat {
  const found = FORMATS.find((format) => format.name === name);
  if (found) return found;
  throw new LensError(
    `there is no dataset format "${name}"`,
    didYouMean(
      name,
      FORMATS.map((format) => format.name),
      'formats',
    ),
  );
}

/** The format whose fields a file has. */
function formatOf(file: string, records: readonly DatasetRecord[]): DatasetFormat {
  const first = records.find(({ problem }) => problem === undefined);
  const fields = new Set(Object.keys(first?.fields ?? {}).map((name) => name.trim().toLowerCase()));
  const found = FORMATS.find((format) => format.fields.every((field) => fields.has(field)));
  if (found) return found;
  const known = FORMATS.map(({ name, fields: needed }) => `${name} (${needed.join(', ')})`).join('; ');
  throw new LensError(
    `"${file}" is of no known benchmark: its fields are ${[...fields].slice(0, 12).join(', ') || 'none'}`,
    `Known are ${known}`,
  );
}

async function answersOf({ answers }: DatasetFormat, folder: string): Promise<ReadonlyMap<string, string>> {
  const file = answers?.files.map((name) => path.join(folder, name)).find((each) => existsSync(each));
  if (answers === undefined || file === undefined) return new Map();
  const records = await recordsOf(file);
  return new Map(
    records.flatMap(({ fields }) => {
      const [id, text] = [fields[answers.id], fields[answers.text]];
      return (typeof id === 'string' || typeof id === 'number') && typeof text === 'string' ? [[String(id), text]] : [];
    }),
  );
}

function sampleOf(record: DatasetRecord, format: DatasetFormat, site: FormatSite, file: string): DatasetSample {
  const id = `${file}, record ${record.number}`;
  if (record.problem !== undefined) return { id, problem: record.problem };
  try {
    return format.sample(record, site);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [issue] = error.issues;
    return { id, problem: `${id}: "${issue!.path.map(String).join('.')}" is wrong: ${issue!.message}` };
  }
}

/** Each id once: a second sample of the same id could not be told from the first in the results. */
function unique(sample: DatasetSample, { number }: DatasetRecord, seen: Set<string>): DatasetSample {
  if (!seen.has(sample.id)) {
    seen.add(sample.id);
    return sample;
  }
  const id = `${sample.id}, record ${number}`;
  seen.add(id);
  return { id, problem: `another sample has the id "${sample.id}"` };
}
