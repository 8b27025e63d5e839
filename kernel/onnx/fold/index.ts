import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { STRUCTURE } from './structure.ts';
import type { FoldRule } from './tensor.ts';

/** Operators that are computed here where all their inputs are small constants: what shapes and masks are made of. */
export const FOLD_RULES: Readonly<Record<string, FoldRule>> = { ...ELEMENTWISE, ...STRUCTURE, ...INDEXING };
