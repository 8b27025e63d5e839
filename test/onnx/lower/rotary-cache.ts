import type { CaseInput } from '../../autodiff/check.ts';

/** A table of cosines or sines as models store it: a row for each position, a column for each pair of channels. */
export const cacheOf = (rows: number, half: number, wave: (angle: number) => number): CaseInput => ({
  dims: [rows, half],
  values: Array.from({ length: rows * half }, (_, i) => wave(Math.floor(i / half) / 4 ** ((i % half) / half))),
  fixed: 'constant',
});
