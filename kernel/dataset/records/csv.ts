import { csvParse } from 'd3-dsv';
import type { DatasetRecord } from './record.ts';
import { textOf } from './text-file.ts';

/** Comma-separated values with a heading. */
export async function csvRecords(file: string): Promise<readonly DatasetRecord[]> {
  return csvParse(await textOf(file)).map((fields, i) => ({ number: i + 1, fields }));
}
