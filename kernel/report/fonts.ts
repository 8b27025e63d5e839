/**
 * The card's own fonts: a bare machine has none, and a card without words is no card. They come in one file per script, or per
 * few hundred ideographs; those that a text needs are registered when it is drawn.
 */
import { GlobalFonts } from 'canvas';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** A font package of Fontsource: what it is called, and the names of its files for one part of it. */
interface FontPackage {
  readonly name: string;
  files(part: string): readonly string[];
}

function variable(name: string): FontPackage {
  return {
    name: `@fontsource-variable/${name}`,
    files: (part) => [`${name}-${part}-wght-normal.woff2`],
  };
}

const INTER: FontPackage = {
  name: '@fontsource/inter',
  files: (part) => [400, 600].map((weight) => `inter-${part}-${weight}-normal.woff2`),
};

const SCRIPTS = ['noto-sans-arabic', 'noto-sans-hebrew', 'noto-sans-devanagari', 'noto-sans-thai'].map(variable);

const [CHINESE, JAPANESE, KOREAN, EMOJI] = ['noto-sans-sc', 'noto-sans-jp', 'noto-sans-kr', 'noto-emoji'].map(
  variable,
) as [FontPackage, FontPackage, FontPackage, FontPackage];

/** In colour, where the system has one. Ours is in one colour: those with many are ten times as large. */
const COLOUR_EMOJI = ['Apple Color Emoji', 'Segoe UI Emoji', 'Noto Color Emoji'];

const IS_EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}/u;

/** Chinese, Japanese and Korean write one character differently: the text's own letters say whose it is. */
function ideographs(text: string): readonly FontPackage[] {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return [JAPANESE, CHINESE, KOREAN];
  if (/\p{Script=Hangul}/u.test(text)) return [KOREAN, CHINESE, JAPANESE];
  return [CHINESE, JAPANESE, KOREAN];
}

type Range = readonly [first: number, last: number];

const read = new Map<string, ReadonlyMap<string, readonly Range[]>>();

/** Which code points each part of a package has. None where the package is left out: then the system's fonts have to do. */
function partsOf({ name }: FontPackage): ReadonlyMap<string, readonly Range[]> {
  const known = read.get(name);
  if (known) return known;
  const file = path.join(folderOf(name), 'unicode.json');
  const listed = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
  const parts = new Map(
    Object.entries(listed).map(([part, ranges]) => [
      part.replace(/^\[(.*)\]$/, '$1'),
      ranges.split(',').map((range): Range => {
        const [first, last] = range.trim().replace(/^U\+/i, '').split('-');
        return [parseInt(first!, 16), parseInt(last ?? first!, 16)];
      }),
    ]),
  );
  read.set(name, parts);
  return parts;
}

function folderOf(name: string): string {
  return path.dirname(require.resolve(`${name}/package.json`));
}

const registered = new Set<string>();

/**
 * A family of its own for each part: what one lacks is looked for in the next, letter by letter.
 * @returns the family's name
 */
function family(font: FontPackage, part: string): string {
  const called = `${path.basename(font.name)} ${part}`;
  if (registered.has(called)) return called;
  for (const file of font.files(part))
    GlobalFonts.registerFromPath(path.join(folderOf(font.name), 'files', file), called);
  registered.add(called);
  return called;
}

/** Of variable fonts the canvas would take the thinnest. It makes them bold itself. */
export const FONT_VARIATION = '"wght" 400';

/** Registers the fonts that a text needs. @returns CSS font families: ours, then whatever the system has */
export function cardFont(text: string): string {
  const missing = new Set([...text].map((character) => character.codePointAt(0)!));
  for (const basic of 'abc') missing.add(basic.codePointAt(0)!);
  const needed = (font: FontPackage): readonly string[] => {
    if (missing.size === 0) return [];
    const families: string[] = [];
    for (const [part, ranges] of partsOf(font)) {
      const found = [...missing].filter((point) => ranges.some(([first, last]) => first <= point && point <= last));
      if (found.length === 0) continue;
      for (const point of found) missing.delete(point);
      families.push(family(font, part));
    }
    return families;
  };
  const letters = [INTER, ...SCRIPTS].flatMap(needed);
  const emoji = IS_EMOJI.test(text) ? [...COLOUR_EMOJI, ...needed(EMOJI)] : [];
  const families = [...letters, ...emoji, ...ideographs(text).flatMap(needed)];
  return [...families.map((name) => `"${name}"`), 'sans-serif'].join(', ');
}
