import { SEARCH } from './flip-search.ts';
import { SETTINGS } from './methods.ts';
import type { Setting } from './methods.ts';
import { TRUTH } from './truth.ts';

/** What is measured to tell what is within a method's reach; no method is compared with it. */
export const RULERS: readonly Setting[] = [TRUTH, SEARCH];

export const isRuler = (name: string): boolean => RULERS.some((ruler) => ruler.name === name);

/** All that is measured: every method's settings, and the rulers. */
export const MEASURED: readonly Setting[] = [...SETTINGS, ...RULERS];
