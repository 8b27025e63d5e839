import { readFile } from 'node:fs/promises';
import { LensError } from '../errors.ts';

/** Beside this module when it is built, in `dist/` when it runs from source. */
const PLACES = ['./page.js', '../../dist/page.js'];

/**
 * The browser script of the stand-alone page, one file with everything in it.
 * @throws {LensError} when the package has not been built
 */
export async function pageScript(): Promise<string> {
  for (const place of PLACES) {
    try {
      return await readFile(new URL(place, import.meta.url), 'utf8');
    } catch {
      continue;
    }
  }
  throw new LensError('cannot make the page: the view’s script page.js is missing', 'Run "npm run build" first');
}
