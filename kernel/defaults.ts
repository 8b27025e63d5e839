/**
 * What calls mean that say nothing. The environment can change it: the VS Code extension puts its settings there, and a
 * cell may. Read at each call.
 */

/** Model of calls that name none: LVLM_LENS_MODEL, or the embedded 'pocket'. */
export function defaultModel(): string {
  return process.env.LVLM_LENS_MODEL || 'pocket';
}

/** Method of calls that name none: LVLM_LENS_METHOD, or `otherwise`. Whether there is one of that name, its use tells. */
export function defaultMethod(otherwise: string): string {
  return process.env.LVLM_LENS_METHOD || otherwise;
}
