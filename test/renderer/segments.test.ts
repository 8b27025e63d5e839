import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AnswerToken, Explanation } from '../../kernel/document.ts';
import { fieldOf } from '../../renderer/saliency.ts';
import { SEGMENTATIONS, segmentWith, segmentsOf, tokensField } from '../../renderer/segments.ts';
import { selectedAt } from '../../renderer/selection.ts';
import { explanation } from './fixture.ts';

/** An explanation whose answer is cut into the given pieces. */
function cut(pieces: readonly string[], llr = 1): Explanation {
  let start = 0;
  const tokens = pieces.map((text): AnswerToken => {
    const token = { text, start, end: start + text.length, logp: -1, logpBaseline: -1 - llr, llr };
    start = token.end;
    return { ...token, selected: true, reason: 'visual' };
  });
  const one = explanation();
  return { ...one, maps: [], answer: { ...one.answer, text: pieces.join(''), tokens } };
}

const words = (of: Explanation): readonly string[] => segmentsOf(of, 'words').map(({ text }) => text.trim());

describe('segments of the answer', () => {
  it('words hold the tokens that a tokenizer cut them into; punctuation is its own', () => {
    const pieces = ['A', ' terr', 'ier', ' is', 'n', "'t", ' here', '.'];
    assert.deepEqual(words(cut(pieces)), ['A', 'terrier', "isn't", 'here', '.']);
    assert.deepEqual(words(cut(['Es', ' sind', ' 3', ',', '5', ' m', '!'])), ['Es', 'sind', '3,5', 'm', '!']);
  });

  it('sentences end where sentences end', () => {
    const two = cut(['A', ' dog', '.', ' It', ' barks', ' at', ' 3.5', ' m', '.']);
    assert.deepEqual(
      segmentsOf(two, 'sentences').map(({ tokens }) => tokens),
      [
        [0, 1, 2],
        [3, 4, 5, 6, 7, 8],
      ],
    );
  });

  it('a token that spans two words joins them, and a part of a character goes with its word', () => {
    assert.deepEqual(words(cut(['the', ' big red', ' dog'])), ['the', 'big red', 'dog']);
    const one = cut(['a', ' 🐕']);
    const tokens = [one.answer.tokens[0]!, { ...one.answer.tokens[1]!, end: 1 }, one.answer.tokens[1]!];
    const split = { ...one, answer: { ...one.answer, tokens } };
    assert.equal(segmentsOf(split, 'tokens').length, 3);
    const all = segmentsOf(split, 'words').flatMap((segment) => segment.tokens);
    assert.deepEqual(all, [0, 1, 2]);
  });

  it('every token is in exactly one segment, whatever the answer', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }), { maxLength: 24 }), (pieces) => {
        const one = cut(pieces);
        for (const by of SEGMENTATIONS) {
          const segments = segmentsOf(one, by);
          assert.deepEqual(
            segments.flatMap(({ tokens }) => tokens),
            pieces.map((_, at) => at),
          );
          for (const { tokens } of segments)
            assert.ok(segmentWith(one, by, tokens.at(-1)!)!.tokens.includes(tokens[0]!));
        }
      }),
    );
  });

  it('a segment’s ratio is the sum of its tokens’, and its map the mean of their maps', () => {
    const one = explanation();
    const sentence = segmentsOf(one, 'sentences')[0]!;
    const { tokens } = one.answer;
    assert.ok(Math.abs(sentence.llr - tokens.reduce((sum, { llr }) => sum + llr, 0)) < 1e-9);
    const own = one.maps.filter(({ role }) => role === 'token').map(fieldOf);
    const mean = tokensField(one, sentence.tokens)!;
    for (const cell of [0, 500, 1023]) {
      const expected = own.reduce((sum, { values }) => sum + values[cell]!, 0) / own.length;
      assert.ok(
        Math.abs(mean.values[cell]! - expected) < 1e-6,
        `cell ${cell}: ${mean.values[cell]} and not ${expected}`,
      );
    }
    assert.equal(tokensField(one, sentence.tokens), mean, 'the same object, so that nothing fades without need');
    assert.equal(tokensField(one, [0]), undefined);
  });

  it('the mean of maps of different sizes is taken on the first one’s grid', () => {
    const one = explanation();
    const map = (side: number, byte: number, token: number) => ({
      ...one.maps[1]!,
      tokens: [token],
      rows: side,
      cols: side,
      data: Buffer.alloc(side * side, byte).toString('base64'),
      scale: 1,
      offset: 0,
    });
    const mixed = { ...one, maps: [map(4, 10, 0), map(9, 30, 1)] };
    const mean = tokensField(mixed, [0, 1])!;
    assert.deepEqual([mean.rows, mean.cols, mean.min, mean.max], [4, 4, 20, 20]);
  });
});

describe('selection at a threshold of the reader’s', () => {
  const { answer } = explanation();
  const names = (alpha: number | null): readonly string[] =>
    [...selectedAt(answer, alpha)].map((at) => answer.tokens[at]!.text.trim());

  it('is the document’s where the reader chose none', () => {
    assert.deepEqual(names(null), ['brown', 'terr', 'grey', 'cat', 'front', 'house', 'sun']);
    assert.deepEqual(names(answer.threshold), names(null));
  });

  it('takes those above it, but never stop words and punctuation', () => {
    assert.deepEqual(names(3), ['terr', 'cat', 'house']);
    assert.deepEqual(names(0.3), ['brown', 'terr', 'ier', 'grey', 'cat', 'sit', 'front', 'house', 'under', 'sun']);
    assert.deepEqual(names(6), []);
  });

  it('an answer of one token needs no more than log 2', () => {
    const one = { ...answer, tokens: [{ ...answer.tokens[0]!, llr: 0.8 }] };
    assert.equal(selectedAt(one, 1).size, 1);
    assert.equal(selectedAt({ ...one, tokens: [{ ...one.tokens[0]!, llr: 0.6 }] }, 1).size, 0);
  });
});
