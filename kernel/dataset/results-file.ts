import { existsSync } from 'node:fs';
import path from 'node:path';
import { LensError } from '../errors.ts';
import { openDatabase } from './duckdb.ts';
import type { Database } from './duckdb.ts';

/** Of the tables; a file of another version is refused. */
const VERSION = 1;

/** One row for each sample, model and method, without what is large. */
export interface DatasetRow {
  readonly sample: string;
  readonly model: string;
  /** By name, or as JSON where it has options of its own. */
  readonly method: string;
  /** SHA-256 of what was asked: a sample that has changed since is explained anew. */
  readonly content: string;
  readonly status: 'done' | 'failed';
  /** Why it failed. */
  readonly problem: string | null;
  readonly category: string | null;
  readonly question: string | null;
  readonly choices: readonly string[] | null;
  readonly references: readonly string[] | null;
  readonly answer: string | null;
  /** Null where there are no references. */
  readonly correct: boolean | null;
  readonly depends_on_image: boolean | null;
  /** Words of the answer that depend on the image. */
  readonly visual_tokens: readonly string[] | null;
  /** The smallest share of the image that holds half of the joint map's heat. */
  readonly focus: number | null;
  readonly metrics: Readonly<Record<string, number>> | null;
  readonly forward_evaluations: number | null;
  readonly gradient_evaluations: number | null;
  readonly seconds: number;
  readonly image_hash: string | null;
  readonly seed: number | null;
  /** ISO 8601. */
  readonly created: string;
}

/** What a row holds beside: everything that is needed to show the result and to make it again, as JSON. */
export interface StoredRow extends DatasetRow {
  readonly provenance: object | null;
  readonly document: object | null;
}

/** Each column's type; `[]` after a type is a list. */
const COLUMNS: Readonly<Record<keyof StoredRow, string>> = {
  sample: 'VARCHAR',
  model: 'VARCHAR',
  method: 'VARCHAR',
  content: 'VARCHAR',
  status: 'VARCHAR',
  problem: 'VARCHAR',
  category: 'VARCHAR',
  question: 'VARCHAR',
  choices: 'VARCHAR[]',
  references: 'VARCHAR[]',
  answer: 'VARCHAR',
  correct: 'BOOLEAN',
  depends_on_image: 'BOOLEAN',
  visual_tokens: 'VARCHAR[]',
  focus: 'DOUBLE',
  metrics: 'MAP(VARCHAR, DOUBLE)',
  forward_evaluations: 'INTEGER',
  gradient_evaluations: 'INTEGER',
  seconds: 'DOUBLE',
  image_hash: 'VARCHAR',
  seed: 'UINTEGER',
  created: 'VARCHAR',
  provenance: 'JSON',
  document: 'JSON',
};

const TABLES = `
  CREATE TABLE lens_settings (version INTEGER, settings JSON);
  CREATE TABLE explanations (
    ${Object.entries(COLUMNS)
      .map(([name, type]) => `"${name}" ${type}`)
      .join(', ')},
    PRIMARY KEY (sample, model, method)
  );`;

/** The columns as DuckDB's `from_json` takes them: a list of a type is `["TYPE"]`. */
const STRUCTURE = JSON.stringify(
  Object.fromEntries(
    Object.entries(COLUMNS).map(([name, type]) => [name, type.endsWith('[]') ? [type.slice(0, -2)] : type]),
  ),
);

/** What a row is told by. */
export type RowKey = Pick<DatasetRow, 'sample' | 'model' | 'method'>;

export const keyOf = ({ sample, model, method }: RowKey): string => JSON.stringify([sample, model, method]);

/** How the rows are written to other files, by the ending. */
const COPY_FORMATS: Readonly<Record<string, string>> = {
  '.parquet': 'FORMAT parquet, COMPRESSION zstd',
  '.csv': 'FORMAT csv, HEADER',
  '.json': 'FORMAT json, ARRAY',
};

/**
 * The results of a dataset in a DuckDB file. Each row is a transaction of its own: what was recorded before a kill is there
 * afterwards, whole, and nothing else is.
 */
export class ResultsFile {
  readonly file: string;
  readonly #database: Database;

  private constructor(file: string, database: Database) {
    this.file = file;
    this.#database = database;
  }

  /**
   * Opens the file, or makes it where there is none.
   * @throws LensError where it is no results file, or another process has it open
   */
  static async open(file: string): Promise<ResultsFile> {
    const target = path.resolve(file);
    if (path.extname(target) === '') {
      throw new LensError(`the results' file "${file}" has no ending`, 'Call it, for instance, results.duckdb');
    }
    if (!existsSync(path.dirname(target))) {
      throw new LensError(`there is no folder "${path.dirname(target)}" for the results`, 'Make it first');
    }
    let database: Database;
    try {
      database = await openDatabase(target);
    } catch (cause) {
      if (cause instanceof LensError) throw cause;
      throw unusable(target, cause as Error);
    }
    const results = new ResultsFile(target, database);
    try {
      await results.#prepare();
    } catch (cause) {
      database.close();
      throw cause;
    }
    return results;
  }

  /** Opens a file that must be there. */
  static async openExisting(file: string): Promise<ResultsFile> {
    if (existsSync(file)) return ResultsFile.open(file);
    throw new LensError(`there is no results file "${file}"`, 'Check the path');
  }

  /** The options under which the rows were made; undefined in a new file. */
  async settings(): Promise<Readonly<Record<string, unknown>> | undefined> {
    const [row] = await this.#read('SELECT settings AS json FROM lens_settings');
    return row as Readonly<Record<string, unknown>> | undefined;
  }

  async begin(settings: object): Promise<void> {
    await this.#database.connection.run('INSERT INTO lens_settings VALUES ($version, $settings)', {
      version: VERSION,
      settings: JSON.stringify(settings),
    });
  }

  /** Writes a row, in the place of an older one of the same key. */
  async record(row: StoredRow): Promise<void> {
    await this.#database.connection.run(
      `INSERT OR REPLACE INTO explanations BY NAME SELECT unnest(from_json($row::JSON, '${STRUCTURE}'))`,
      { row: JSON.stringify(row) },
    );
  }

  async rows(): Promise<DatasetRow[]> {
    const rows = await this.#read(
      'SELECT to_json(e) AS json FROM (SELECT * EXCLUDE (provenance, document) FROM explanations ORDER BY rowid) e',
    );
    return rows as unknown as DatasetRow[];
  }

  /** The document of a row; undefined where there is no such row or it failed. */
  async document({ sample, model, method }: RowKey): Promise<unknown> {
    const where = 'sample = $sample AND model = $model AND method = $method AND document IS NOT NULL';
    const [document] = await this.#read(`SELECT document AS json FROM explanations WHERE ${where}`, {
      ...{ sample, model, method },
    });
    return document;
  }

  /** Writes all columns of all rows to a .parquet, .csv or .json file. */
  async copy(file: string): Promise<void> {
    const format = COPY_FORMATS[path.extname(file).toLowerCase()];
    if (format === undefined) {
      throw new LensError(`cannot export to "${file}"`, `Its name must end in ${Object.keys(COPY_FORMATS).join(', ')}`);
    }
    const target = path.resolve(file).replaceAll("'", "''");
    try {
      await this.#database.connection.run(`COPY explanations TO '${target}' (${format})`);
    } catch (cause) {
      throw new LensError(`cannot write "${file}": ${firstLine(cause as Error)}`, 'Is there such a folder?', { cause });
    }
  }

  /** Writes what is in the write-ahead log into the file itself, and closes it. */
  async close(): Promise<void> {
    try {
      await this.#database.connection.run('CHECKPOINT');
    } finally {
      this.#database.close();
    }
  }

  async #prepare(): Promise<void> {
    const { connection } = this.#database;
    const names = (await connection.runAndReadAll('SELECT table_name FROM duckdb_tables()')).getRows().flat();
    if (names.length === 0) {
      await connection.run(`BEGIN; ${TABLES} COMMIT;`);
      return;
    }
    const ours = names.includes('lens_settings') && names.includes('explanations');
    const [version] = ours
      ? (await connection.runAndReadAll('SELECT version FROM lens_settings')).getRows().flat()
      : [undefined];
    if (ours && (version === undefined || version === VERSION)) return;
    throw new LensError(
      ours
        ? `"${this.file}" was written by another version of LVLM Lens (its tables are of version ${String(version)})`
        : `"${this.file}" is a database, but not one of explainDataset()`,
      'Give another file for the results',
    );
  }

  /** Values of a column `json`, parsed. */
  async #read(query: string, values: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>[]> {
    const read = await this.#database.connection.runAndReadAll(query, values);
    return read.getRowObjectsJson().map(({ json }) => JSON.parse(json as string) as Record<string, unknown>);
  }
}

function unusable(file: string, cause: Error): LensError {
  if (/lock/i.test(cause.message)) {
    return new LensError(
      `the results' file "${file}" is in use by another process`,
      'Wait for it, or give another file',
      {
        cause,
      },
    );
  }
  return new LensError(`cannot open the results' file "${file}": ${firstLine(cause)}`, 'Give another file', { cause });
}

const firstLine = ({ message }: Error): string => message.split('\n')[0]!;
