/**
 * The card's own fonts: a bare machine has none, and a card without words is no card. They come in one file per script, or per
 * few hundred ideographs; those that a text needs are registered when it is drawn.
 */
import { GlobalFonts } from 'canvas';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** A font package of Fontsource: what it is called, which of its parts serve, and the names of a part's files. */
interface FontPackage {
  readonly name: string;
  readonly parts: RegExp;
  files(part: string): readonly string[];
}

function variable(name: string, parts: RegExp): FontPackage {
  return { name: `@fontsource-variable/${name}`, parts, files: (part) => [`${name}-${part}-wght-normal.woff2`] };
}

const INTER: FontPackage = {
  name: '@fontsource/inter',
  parts: /./,
  files: (part) => [400, 600].map((weight) => `inter-${part}-${weight}-normal.woff2`),
};

/** Of these only their own script: their Latin letters and symbols are others' than Inter's. */
const SCRIPTS = ['arabic', 'hebrew', 'devanagari', 'thai'].map((script) =>
  variable(`noto-sans-${script}`, new RegExp(`^${script}$`)),
);

const NUMBERED = /^\d+$/;
const EMOJI = variable('noto-emoji', NUMBERED);
const CHINESE = variable('noto-sans-sc', NUMBERED);
const JAPANESE = variable('noto-sans-jp', NUMBERED);
const KOREAN = variable('noto-sans-kr', NUMBERED);

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
function partsOf({ name, parts: serving }: FontPackage): ReadonlyMap<string, readonly Range[]> {
  const known = read.get(name);
  if (known) return known;
  const file = path.join(folderOf(name), 'unicode.json');
  const listed = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
  const named = Object.entries(listed).map(([part, ranges]) => [part.replace(/^\[(.*)\]$/, '$1'), ranges] as const);
  const parts = new Map(
    named
      .filter(([part]) => serving.test(part))
      .map(([part, ranges]) => [
        part,
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

/** The code points that a part has. */
function within(ranges: readonly Range[], points: Iterable<number>): readonly number[] {
  return [...points].filter((point) => ranges.some(([first, last]) => first <= point && point <= last));
}

/** All parts of the emoji font with one of these, those with the most first: a family is drawn from one part or falls apart. */
function emojiFamilies(points: ReadonlySet<number>): readonly string[] {
  return [...partsOf(EMOJI)]
    .map(([part, ranges]) => ({ part, count: within(ranges, points).length }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .map(({ part }) => family(EMOJI, part));
}

/** Registers the fonts that a text needs. @returns CSS font families: ours, then whatever the system has */
export function cardFont(text: string): string {
  const points = new Set([...`abc${text}`].map((character) => character.codePointAt(0)!));
  const missing = new Set(points);
  const needed = (font: FontPackage): readonly string[] => {
    if (missing.size === 0) return [];
    const families: string[] = [];
    for (const [part, ranges] of partsOf(font)) {
      const found = within(ranges, missing);
      if (found.length === 0) continue;
      for (const point of found) missing.delete(point);
      families.push(family(font, part));
    }
    return families;
  };
  const letters = [INTER, ...SCRIPTS].flatMap(needed);
  const emoji = IS_EMOJI.test(text) ? [...COLOUR_EMOJI, ...emojiFamilies(missing)] : [];
  const families = [...letters, ...emoji, ...ideographs(text).flatMap(needed)];
  return [...families.map((name) => `"${name}"`), 'sans-serif'].join(', ');
}
