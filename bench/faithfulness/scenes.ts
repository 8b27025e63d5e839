import type { BaselineName } from '../../kernel/attribution/scorer.ts';
import { selectTokens } from '../../kernel/index.ts';
import { isFunctionWord } from '../../kernel/metrics/word-iou.ts';
import type { WordTruth } from '../../kernel/metrics/word-iou.ts';
import { evidenceFolder, picturePath, readEvidence, regionOf } from '../evidence.ts';
import type { Evidence, EvidenceScene } from '../evidence.ts';

/** A scene that a model answers rightly from the picture: what all methods explain, with the same tokens and the same baseline. */
export interface Asked {
  readonly scene: EvidenceScene;
  readonly evidence: Evidence;
  readonly image: string;
  /** Indexes of the selected tokens. */
  readonly tokens: readonly number[];
  readonly baseline: BaselineName;
  /** Object words with their objects, and the tokens of these and of the function words; null where either is missing. */
  readonly words: { readonly truths: readonly WordTruth[]; readonly tokens: readonly number[] } | null;
}

/** Asks a model about the scenes that suit it, in an order of which every beginning holds all kinds of questions alike. */
export class Scenes {
  readonly #model: string;
  readonly #order: readonly EvidenceScene[];
  readonly #evidence: Evidence;
  readonly #folder: URL;
  readonly #asked = new Map<string, Promise<Asked | null>>();

  private constructor(model: string, evidence: Evidence, folder: URL) {
    this.#model = model;
    this.#evidence = evidence;
    this.#folder = folder;
    this.#order = byTurns(evidence.scenes.filter(({ needsImage }) => needsImage));
  }

  static async of(model: string): Promise<Scenes> {
    const folder = await evidenceFolder(model);
    return new Scenes(model, await readEvidence(folder), folder);
  }

  /** The first `count` scenes that are answered rightly and from the picture, and that `suit`. */
  async *first(count: number, suit: (asked: Asked) => boolean = () => true): AsyncGenerator<Asked> {
    let found = 0;
    for (const scene of this.#order) {
      if (found >= count) return;
      const asked = await this.#ask(scene);
      if (asked === null || !suit(asked)) continue;
      found++;
      yield asked;
    }
  }

  #ask(scene: EvidenceScene): Promise<Asked | null> {
    let asked = this.#asked.get(scene.file);
    if (asked === undefined) this.#asked.set(scene.file, (asked = this.#askModel(scene)));
    return asked;
  }

  async #askModel(scene: EvidenceScene): Promise<Asked | null> {
    const evidence = this.#evidence;
    const image = picturePath(scene, this.#folder);
    const selection = await selectTokens({ image, question: scene.question, model: this.#model });
    if (selection.answer.trim() !== scene.answer || !selection.dependsOnImage) return null;
    const { tokens, answer } = selection;
    const during = (spans: readonly { start: number; end: number }[]) =>
      [...tokens.keys()].filter((t) =>
        spans.some(({ start, end }) => tokens[t]!.start < end && tokens[t]!.end > start),
      );
    const regions = new Map<string, ReturnType<typeof regionOf>>();
    const truths = scene.words
      .filter(({ text, objects }) => scene.objects.some((each) => objects.includes(each.id) && isNameOf(text, each)))
      .slice(0, MOST_WORDS)
      .map(({ start, end, objects }) => {
        const key = objects.join();
        const truth = regions.get(key) ?? regionOf(scene, evidence, objects);
        regions.set(key, truth);
        return { start, end, truth };
      });
    const functionWords = [...answer.matchAll(/\p{L}+/gu)]
      .filter(([word]) => isFunctionWord(word))
      .slice(0, MOST_WORDS)
      .map(({ 0: word, index }) => ({ start: index, end: index + word.length }));
    return {
      scene,
      evidence,
      image,
      tokens: [...tokens.keys()].filter((t) => tokens[t]!.selected),
      baseline: selection.provenance.parameters.baseline as BaselineName,
      words:
        truths.length > 0 && functionWords.length > 0
          ? { truths, tokens: during([...truths, ...functionWords]) }
          : null,
    };
  }
}

/** Object words and function words of one answer that get maps, each: a map of igos++ takes 200 gradients. */
const MOST_WORDS = 2;

/** Whether a word is an object's name, its plural ('fly', 'flies', 'mice') or what is written on it. */
export const isNameOf = (
  word: string,
  { name, text }: { readonly name: string; readonly text?: string | undefined },
): boolean => word === text || word.startsWith(name.slice(0, -1)) || (word === 'mice' && name === 'mouse');

/** One of each kind in turn. */
function byTurns(scenes: readonly EvidenceScene[]): EvidenceScene[] {
  const kinds = [...new Set(scenes.map(({ kind }) => kind))].map((kind) =>
    scenes.filter((scene) => scene.kind === kind),
  );
  const longest = Math.max(0, ...kinds.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) => kinds.flatMap((kind) => kind.slice(turn, turn + 1))).flat();
}
