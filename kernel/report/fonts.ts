/** The card's own fonts: a bare machine has none, and a card without words is no card. */
import { GlobalFonts } from 'canvas';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Inter comes in one file per script. Each gets a family of its own: fallback goes from family to family, by glyph. */
const SCRIPTS = ['latin', 'latin-ext', 'greek', 'greek-ext', 'cyrillic', 'cyrillic-ext', 'vietnamese'] as const;
const WEIGHTS = [400, 600] as const;

let families: string | undefined;

/** Registers the fonts once. @returns CSS font families, ours first and then whatever the system has */
export function cardFont(): string {
  if (families !== undefined) return families;
  for (const script of SCRIPTS) {
    for (const weight of WEIGHTS) {
      const file = require.resolve(`@fontsource/inter/files/inter-${script}-${weight}-normal.woff2`);
      GlobalFonts.registerFromPath(file, `Lens ${script}`);
    }
  }
  families = [...SCRIPTS.map((script) => `"Lens ${script}"`), 'sans-serif'].join(', ');
  return families;
}
