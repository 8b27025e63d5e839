import assert from 'node:assert/strict';
import { selection } from '../../kernel/attribution/token-selection.ts';
import type { TokenChoice } from '../../kernel/attribution/token-selection.ts';
import { LensError } from '../../kernel/errors.ts';
import type { TokenisedText } from '../../kernel/model/loaded-model.ts';

/** An answer from its pieces, as a tokenizer would cut it; leading spaces belong to the token, as in most vocabularies. */
function answerOf(...pieces: string[]): TokenisedText {
  let start = 0;
  const tokens = pieces.map((text, id) => ({ id, text, start, end: (start += text.length) }));
  return { text: pieces.join(''), tokens };
}

/** Selection with a given LLR for every token, or one for each. */
function select(
  answer: TokenisedText,
  llr: number | number[],
  tokens: TokenChoice = 'visual',
  threshold = 1,
  stopWords = false,
) {
  const each = answer.tokens.map((_, t) => (typeof llr === 'number' ? llr : llr[t]!));
  const logp = Float32Array.from(each, () => -0.25);
  const baseline = Float32Array.from(each, (value) => -0.25 - value);
  return selection(answer, logp, baseline, { threshold, stopWords, tokens });
}

const reasons = (...args: Parameters<typeof select>): string[] => select(...args).map(({ reason }) => reason);

describe('token selection', () => {
  const sentence = answerOf('The', ' cat', ' is', ' left', ' of', ' the', ' dog', '.');

  it('drops stop words and punctuation by their text, however large the LLR', () => {
    assert.deepEqual(reasons(sentence, 9), [
      'stop word',
      'visual',
      'stop word',
      'visual',
      'stop word',
      'stop word',
      'visual',
      'punctuation',
    ]);
  });

  it('keeps only what exceeds the threshold', () => {
    const llr = [9, 1.01, 9, 0.99, 9, 9, -3, 9];
    assert.deepEqual(
      select(sentence, llr).flatMap(({ selected, text }) => (selected ? [text] : [])),
      [' cat'],
    );
    assert.deepEqual(
      select(sentence, llr, 'visual', 0.5).flatMap(({ selected, text }) => (selected ? [text] : [])),
      [' cat', ' left'],
    );
  });

  it('does not drop the first token because it is the first', () => {
    assert.deepEqual(reasons(answerOf('Cats', ' sleep'), 9), ['visual', 'visual']);
  });

  it('judges a token by the word that it is part of', () => {
    assert.deepEqual(reasons(answerOf('The', 're', ' is', ' the', 'atre', ' re', 'd'), 9), [
      'stop word',
      'stop word',
      'stop word',
      'visual',
      'visual',
      'visual',
      'visual',
    ]);
  });

  it('keeps words that say where things are and how many, and numbers', () => {
    assert.deepEqual(reasons(answerOf('No', ' two', ' between', ' under', ' above', ' 7'), 9), Array(6).fill('visual'));
  });

  it('knows punctuation of other scripts and marks with spaces', () => {
    assert.deepEqual(reasons(answerOf('Yes', '。', ' “', 'stop', '”', ' …'), 9), [
      'visual',
      'punctuation',
      'punctuation',
      'visual',
      'punctuation',
      'punctuation',
    ]);
  });

  it('keeps symbols that are no punctuation', () => {
    assert.deepEqual(reasons(answerOf('5', ' €', ' 🐶'), 9), ['visual', 'visual', 'visual']);
  });

  it('judges tokens that hold a part of a character by the word where they stand', () => {
    // 'é' of 'café' in two bytes: the first token has no text, the second has the character.
    const answer = {
      text: 'the café',
      tokens: [
        { id: 0, text: 'the', start: 0, end: 3 },
        { id: 1, text: ' caf', start: 3, end: 7 },
        { id: 2, text: '', start: 7, end: 7 },
        { id: 3, text: 'é', start: 7, end: 8 },
      ],
    };
    assert.deepEqual(reasons(answer, 9), ['stop word', 'visual', 'visual', 'visual']);
  });

  it('keeps an answer of one token where the baseline makes it at most half as likely, stop word or not', () => {
    assert.deepEqual(reasons(answerOf('Under'), Math.log(2) + 0.01), ['visual']);
    assert.deepEqual(reasons(answerOf('It'), Math.log(2) + 0.01), ['visual']);
    assert.deepEqual(reasons(answerOf('Red'), Math.log(2) - 0.01), ['below threshold']);
  });

  it('keeps an answer of one token above a threshold that is lower than that', () => {
    const lower = (llr: number) => select(answerOf('yes'), llr, 'visual', 0.1).map(({ reason }) => reason);
    assert.deepEqual(lower(0.11), ['visual']);
    assert.deepEqual(lower(0.09), ['below threshold']);
  });

  it('keeps stop words where the rule says so, but never punctuation', () => {
    const kept = select(sentence, 9, 'visual', 1, true).flatMap(({ selected }, t) => (selected ? [t] : []));
    assert.deepEqual(kept, [0, 1, 2, 3, 4, 5, 6]);
  });

  it('reports both log-likelihoods and their difference', () => {
    const [token] = select(answerOf(' cat', ' dog'), [2, 0.5]);
    assert.deepEqual(token, {
      text: ' cat',
      start: 0,
      end: 4,
      logp: -0.25,
      logpBaseline: -2.25,
      llr: 2,
      selected: true,
      reason: 'visual',
    });
  });

  describe('by the caller', () => {
    const chosen = (tokens: TokenChoice) =>
      select(sentence, 0, tokens).flatMap(({ reason }, t) => (reason === 'chosen' ? [t] : []));

    it('takes indexes, all, and words whatever their case', () => {
      assert.deepEqual(chosen([1, 7]), [1, 7]);
      assert.deepEqual(chosen('all'), [0, 1, 2, 3, 4, 5, 6, 7]);
      assert.deepEqual(chosen(['CAT', 'left of']), [1, 3, 4]);
      assert.deepEqual(chosen(['the']), [0, 5]);
    });

    it('finds whole words only', () => {
      assert.throws(
        () => chosen(['do']),
        (error) => {
          assert.ok(error instanceof LensError);
          assert.match(error.message, /does not contain "do"\. Its words are: The, cat, is, left, of, the, dog/);
          return true;
        },
      );
    });

    it('refuses an index that the answer has not', () => {
      assert.throws(() => chosen([8]), /has no token 8\. Its tokens are 0 to 7/);
    });

    it('takes text that is no pattern', () => {
      assert.throws(() => chosen(['.*']), /does not contain "\.\*"/);
    });
  });
});
