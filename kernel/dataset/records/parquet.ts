import { LensError } from '../../errors.ts';
import { fileSize } from '../../hub/file-size.ts';
import { duckdb, withDatabase } from '../duckdb.ts';
import { MOST_IMAGE_BYTES } from '../inside.ts';
import type { DatasetRecord } from './record.ts';

const ROW = 'file_row_number';
const TABLE = `read_parquet($file, ${ROW} = true)`;

/**
 * Rows of a Parquet file. Columns of bytes, and those of the Hub's images, `{bytes, path}`, stay in the file until a sample's turn comes:
 * a benchmark's pictures together fill a memory.
 */
export async function parquetRecords(file: string): Promise<readonly DatasetRecord[]> {
  try {
    return await withDatabase(async ({ connection }) => {
      const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${TABLE}`, { file });
      const columns = described.getRowObjectsJS() as { column_name: string; column_type: string }[];
      const pictures = new Map(columns.flatMap(({ column_name: name, column_type: type }) => bytesOf(name, type)));
      const kept = columns.map(({ column_name: name }) => name).filter((name) => !pictures.has(name));
      const select = kept.map(quoted).join(', ');
      const read = await connection.runAndReadAll(`SELECT ${select} FROM ${TABLE} ORDER BY ${ROW}`, { file });
      return read.getRowObjectsJson().map((fields) => ({
        number: Number(fields[ROW]) + 1,
        fields: { ...fields, ...Object.fromEntries([...pictures.keys()].map((name) => [name, 'bytes'])) },
        picture: (name) => pictureOf(file, pictures.get(name), Number(fields[ROW])),
      }));
    });
  } catch (cause) {
    if (cause instanceof LensError) throw cause;
    const reason = (cause as Error).message.split('\n')[0]!;
    throw new LensError(`cannot read "${file}" as Parquet: ${reason}`, 'Download it again', { cause });
  }
}

/** The expression for a column's bytes, where it has any. */
function bytesOf(name: string, type: string): [string, string][] {
  if (type === 'BLOB') return [[name, quoted(name)]];
  return /^STRUCT\(.*"?\bbytes"? BLOB\b/.test(type) ? [[name, `${quoted(name)}.bytes`]] : [];
}

async function pictureOf(file: string, expression: string | undefined, row: number): Promise<Uint8Array> {
  if (expression === undefined) {
    throw new LensError(`"${file}" has no pictures`, 'Its column of images must hold bytes');
  }
  const { DuckDBBlobValue } = await duckdb();
  return withDatabase(async ({ connection }) => {
    const ask = async (what: string) =>
      (await connection.runAndReadAll(`SELECT ${what} AS it FROM ${TABLE} WHERE ${ROW} = $row`, { file, row }))
        .getRows()
        .at(0)?.[0];
    const bytes = Number((await ask(`octet_length(${expression})`)) ?? 0);
    if (bytes === 0) throw new LensError(`row ${row + 1} has no picture`);
    if (bytes > MOST_IMAGE_BYTES) {
      throw new LensError(`the picture is too large: ${fileSize(bytes)}, at most ${fileSize(MOST_IMAGE_BYTES)}`);
    }
    const value = await ask(expression);
    if (value instanceof DuckDBBlobValue) return Uint8Array.from(value.bytes);
    throw new LensError(`row ${row + 1} has no picture`);
  });
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
