/** The public API of LVLM Lens. */
export { LensError, AbortError } from './errors.ts';
export type * from './document.ts';
export { MIME_TYPE, SCHEMA_VERSION } from './document.ts';
