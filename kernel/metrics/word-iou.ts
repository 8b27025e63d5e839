import { mean } from 'simple-statistics';
import { bilinear } from '../attribution/bilinear.ts';
import type { Mask } from '../attribution/scorer.ts';
import { otsuThreshold } from './otsu.ts';
import type { PixelMask } from './pointing-game.ts';

/** A word of an answer that speaks of something in the picture. */
export interface WordTruth {
  /** Character span [start, end) in the answer's text, UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  /** Where in the picture that thing is. Words next to each other with the very same truth speak of one thing ("polar bear"). */
  readonly truth: PixelMask;
}

/** The map of one token, and where the token stands in the answer. */
export interface TokenMap {
  readonly start: number;
  readonly end: number;
  readonly map: Mask;
}

export interface WordIou {
  /** Undefined where no word with a truth has a map. */
  readonly obj: number | undefined;
  /** Undefined where no function word has a map, or `obj` is. */
  readonly func: number | undefined;
  /** Harmonic mean of both. */
  readonly f1: number | undefined;
}

/**
 * The closed classes of English words that TAM's evaluation counts as function words: conjunctions, determiners, pronouns, modal verbs, "there",
 * interjections and question words. Prepositions and numerals are left out, as there: they do speak of the picture.
 */
const FUNCTION_WORDS: ReadonlySet<string> = new Set(
  (
    'a an the this that these those each every either neither any some all both no another ' +
    'and or but nor yet plus ' +
    'i you he she it we they me him her us them my your his its our their mine yours hers ours theirs ' +
    'myself yourself himself herself itself ourselves themselves ' +
    'can could may might must shall should will would ' +
    'there yes oh well ' +
    'who whom whose which what when where why how'
  ).split(' '),
);

/** Whether an English word is a function word of TAM's protocol. Case does not matter. */
export const isFunctionWord = (word: string): boolean => FUNCTION_WORDS.has(word.toLowerCase());

/**
 * Do the words that name things light up where those are, and function words nowhere? Each 0 … 1, higher is better.
 *
 * - Obj-IoU: the mean over object words of the IoU of the word's truth and its map cut at Otsu's threshold; of a word of several tokens, and of
 *   neighbouring words for one thing, the best.
 * - Func-IoU: the mean over function words of the share of the map that stays below the mean threshold of the object words' maps (of several
 *   tokens the highest): the IoU of "nothing" with what is not marked. The maps of one answer must share one scale.
 * - F1-IoU: their harmonic mean, here for one answer. (TAM's tables take the harmonic mean of the means over a data set.)
 *
 * Source: Li et al., "Token Activation Map to Visually Explain Multimodal LLMs", ICCV 2025 (arXiv 2506.23270), equations 8–10, and its public
 * evaluation. There a tagger finds nouns and function words; here nouns are the words with a truth, and function words come from a list.
 *
 * @param answer the answer's text
 * @param words words with a truth
 * @param maps token maps; words whose tokens have none are not counted
 */
export function wordIou(answer: string, words: readonly WordTruth[], maps: readonly TokenMap[]): WordIou {
  const mapsOf = ({ start, end }: { readonly start: number; readonly end: number }) =>
    maps.filter((token) => token.start < end && token.end > start).map(({ map }) => map);
  const ious: number[] = [];
  const thresholds: number[] = [];
  let before: WordTruth | undefined;
  for (const word of [...words].sort((a, b) => a.start - b.start)) {
    const cuts = mapsOf(word).map((map) => cut(map, word.truth));
    if (cuts.length === 0) continue;
    const iou = Math.max(...cuts.map((each) => each.iou));
    const same = before?.truth === word.truth && /^\s*$/.test(answer.slice(before.end, word.start));
    if (same) ious.push(Math.max(iou, ious.pop()!));
    else ious.push(iou);
    thresholds.push(Math.max(...cuts.map(({ threshold }) => threshold)));
    before = word;
  }
  if (ious.length === 0) return { obj: undefined, func: undefined, f1: undefined };
  const obj = mean(ious);
  const threshold = mean(thresholds);
  const quiet = [...answer.matchAll(/\p{L}+/gu)]
    .filter(([word]) => isFunctionWord(word))
    .map(({ 0: word, index }) => mapsOf({ start: index, end: index + word.length }).map((map) => below(map, threshold)))
    .filter((shares) => shares.length > 0)
    .map((shares) => mean(shares));
  if (quiet.length === 0) return { obj, func: undefined, f1: undefined };
  const func = mean(quiet);
  return { obj, func, f1: obj + func > 0 ? (2 * obj * func) / (obj + func) : 0 };
}

function cut(map: Mask, { height, width, data }: PixelMask): { readonly threshold: number; readonly iou: number } {
  const pixels = bilinear(map.rows, map.cols, height, width).up(map.data);
  const threshold = otsuThreshold(pixels);
  let [both, either, marked] = [0, 0, 0];
  pixels.forEach((value, i) => {
    const here = value >= threshold;
    if (here) marked++;
    if (here && data[i]) both++;
    if (here || data[i]) either++;
  });
  // A flat map marks nothing.
  return { threshold, iou: marked === pixels.length ? 0 : both / either };
}

const below = ({ data }: Mask, threshold: number): number =>
  data.reduce((count, value) => count + Number(value < threshold), 0) / data.length;
