/** The file by which Jupyter tells a kernel where to listen and with which key to sign. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { LensError } from '../errors.ts';

const port = z.int().min(0).max(65_535);

const ConnectionFile = z.looseObject({
  transport: z.enum(['tcp', 'ipc']).default('tcp'),
  ip: z.string().default('127.0.0.1'),
  key: z.string().default(''),
  signature_scheme: z.string().default('hmac-sha256'),
  shell_port: port,
  iopub_port: port,
  stdin_port: port,
  control_port: port,
  hb_port: port,
});

export type Connection = z.infer<typeof ConnectionFile>;

/** @throws LensError where it cannot be read or lacks something */
export function readConnectionFile(file: string): Connection {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new LensError(`cannot read the connection file "${file}": ${(error as Error).message}`, 'Jupyter makes it.');
  }
  const parsed = ConnectionFile.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new LensError(`the connection file "${file}" is not as expected: ${issue!.path.join('.')}: ${issue!.message}`);
}

/** Where a channel listens. */
export function address({ transport, ip }: Connection, port: number): string {
  return transport === 'ipc' ? `ipc://${ip}-${port}` : `tcp://${ip}:${port}`;
}
