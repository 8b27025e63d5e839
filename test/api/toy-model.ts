import type { LoadedModel, ModelCache, TokenisedText } from '../../kernel/model/loaded-model.ts';
import { ToyScorer } from '../attribution/toy-scorer.ts';
import type { Region } from '../attribution/toy-scorer.ts';

export const CAT: Region = { left: 0.05, top: 0.2, right: 0.4, bottom: 0.6 };
export const DOG: Region = { left: 0.6, top: 0.5, right: 0.95, bottom: 0.9 };

/** What each word looks at; all others look nowhere. */
const LOOKS: Readonly<Record<string, Region>> = { cat: CAT, dog: DOG, red: CAT };

/** Words that a blurred picture still shows. */
const COLOURS = ['red'];

/** Words with their leading spaces, and the full stop, as tokens. */
function tokenised(text: string): TokenisedText {
  const tokens = [...text.matchAll(/ ?[A-Za-z]+|[^A-Za-z]/g)].map(({ 0: piece, index }) => ({
    id: index,
    text: piece,
    start: index,
    end: index + piece.length,
  }));
  return { text, tokens };
}

const ANSWER = 'The cat is left of the dog.';

/** A model that answers every question alike, and of which is known where each word looks. */
export function toyModel(answer = ANSWER): LoadedModel {
  return {
    info: { id: 'toy', type: 'toy', folder: '/toy', dtypes: {}, contextLength: 64, vocabularySize: 100, views: [] },
    async answer() {
      const said = tokenised(answer);
      return { ...said, logp: new Float32Array(said.tokens.length).fill(-0.01), stopped: 'end' };
    },
    async scorer(_picture, _question, given) {
      // The toy's ids are positions in its one answer, so those of a generated answer stand for it.
      const spoken = tokenised(typeof given === 'string' ? given : answer);
      const regions = spoken.tokens.map(({ text }) => LOOKS[text.trim()] ?? null);
      const throughBlur = [...spoken.tokens.keys()].filter((t) => COLOURS.includes(spoken.tokens[t]!.text.trim()));
      return Object.assign(new ToyScorer(regions, { throughBlur }), { answer: spoken, encoders: [] });
    },
    tokens: tokenised,
    provenance: async () => ({ versions: { toy: '1' }, files: { 'toy.onnx': 'abc' } }),
    release: async () => undefined,
  };
}

export const toyCache = (model = toyModel()): ModelCache => ({ open: async () => model });
