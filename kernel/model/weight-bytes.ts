import { statSync } from 'node:fs';

/** Bytes of a graph's file and of the file of weights beside it; 0 where there is none. */
export function weightBytes(file: string): number {
  const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  return size(file) + size(`${file}_data`);
}
