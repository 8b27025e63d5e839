import type { DatasetRecord } from './record.ts';
import { textOf } from './text-file.ts';

/** One JSON object in each line; a line that is none becomes a record with a problem. */
export async function jsonlRecords(file: string): Promise<readonly DatasetRecord[]> {
  const lines = (await textOf(file)).split('\n');
  return lines.flatMap((line, i) => (line.trim() === '' ? [] : [recordOf(line, i + 1)]));
}

function recordOf(line: string, number: number): DatasetRecord {
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
      return { number, fields: fields as Record<string, unknown> };
    }
    return { number, fields: {}, problem: `line ${number} is not a JSON object` };
  } catch (error) {
    return { number, fields: {}, problem: `line ${number} is not JSON: ${(error as Error).message}` };
  }
}
