import envPaths from 'env-paths';

/** Where built graphs and file hashes are kept: LVLM_LENS_CACHE, or the system's folder for caches. */
export function cacheFolder(): string {
  return process.env.LVLM_LENS_CACHE ?? envPaths('lvlm-lens', { suffix: '' }).cache;
}
