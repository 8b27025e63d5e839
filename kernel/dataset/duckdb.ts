import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as DuckDB from '@duckdb/node-api';
import { LensError } from '../errors.ts';

/** As package.json has it. */
const PACKAGE = '@duckdb/node-api';

/**
 * DuckDB, loaded when it is needed: it weighs more than all the rest. The VS Code extension comes without it and takes the one that is
 * installed beside the notebook.
 * @throws LensError saying what to install
 */
export async function duckdb(): Promise<typeof DuckDB> {
  try {
    return await import('@duckdb/node-api');
  } catch {
    try {
      const beside = createRequire(path.join(process.cwd(), 'package.json')).resolve(PACKAGE);
      return (await import(pathToFileURL(beside).href)) as typeof DuckDB;
    } catch (cause) {
      throw new LensError(
        `datasets need DuckDB, and the package ${PACKAGE} is not installed`,
        `Run "npm install ${PACKAGE}" in ${process.cwd()}, and restart the kernel`,
        { cause },
      );
    }
  }
}

/** Nothing is fetched or loaded because a file or a name asks for it. */
const CONFIG = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' } as const;

/** An open database, with one connection. */
export interface Database {
  readonly connection: DuckDB.DuckDBConnection;
  close(): void;
}

/** @param file a database of DuckDB, made where there is none; in memory by default */
export async function openDatabase(file = ':memory:'): Promise<Database> {
  const { DuckDBInstance } = await duckdb();
  const instance = await DuckDBInstance.create(file, CONFIG);
  const connection = await instance.connect();
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Opens a database, uses it and closes it. */
export async function withDatabase<T>(use: (database: Database) => Promise<T>, file?: string): Promise<T> {
  const database = await openDatabase(file);
  try {
    return await use(database);
  } finally {
    database.close();
  }
}
