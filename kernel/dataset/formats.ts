import type { DatasetFormat } from './format.ts';
import { cvBench } from './formats/cv-bench.ts';
import { llavaBench } from './formats/llava-bench.ts';
import { mmstar } from './formats/mmstar.ts';
import { mmvp } from './formats/mmvp.ts';
import { csvRecords } from './records/csv.ts';
import { jsonlRecords } from './records/jsonl.ts';
import { parquetRecords } from './records/parquet.ts';
import type { DatasetRecord } from './records/record.ts';

/** The benchmarks that can be read. A new one is one file and one entry here. */
export const FORMATS: readonly DatasetFormat[] = [mmvp, cvBench, llavaBench, mmstar];

/** How a file is read, by its ending. */
export const RECORDS: Readonly<Record<string, (file: string) => Promise<readonly DatasetRecord[]>>> = {
  '.csv': csvRecords,
  '.jsonl': jsonlRecords,
  '.parquet': parquetRecords,
};
