import assert from 'node:assert/strict';
import { chosenOption, isCorrect, normalisedAnswer } from '../../kernel/metrics/answer-correctness.ts';
import { focusSize } from '../../kernel/metrics/focus-size.ts';

describe('answer correctness', () => {
  it('makes case, punctuation, articles and number words the same', () => {
    const same = [
      ['The cat.', 'cat'],
      ['There are TWO dogs!', 'there are 2 dogs'],
      ['1,000 people', '1000 people'],
      ['3.5 m', '3.5 m'],
      ['−5', '−5'],
      ["a dog's tail", 'dogs tail'],
      ['  well-known ', 'well known'],
      ['Ｆｕｌｌ　ｗｉｄｔｈ', 'full width'],
      ['eine Straße', 'EINE straße'],
    ];
    for (const [one, other] of same) assert.equal(normalisedAnswer(one!), normalisedAnswer(other!));
    assert.notEqual(normalisedAnswer('3.5'), normalisedAnswer('35'));
    assert.notEqual(normalisedAnswer('-5'), normalisedAnswer('5'));
    // What is nothing but an article is kept.
    assert.equal(normalisedAnswer('A'), 'a');
    assert.equal(normalisedAnswer('!?'), '!?');
  });

  it('takes any acceptable answer', () => {
    assert.ok(isCorrect('A bicycle.', ['bike', 'bicycle']));
    assert.ok(!isCorrect('A motorbike.', ['bike', 'bicycle']));
    assert.ok(!isCorrect('', ['bike']));
  });

  it('knows an option by its letter or its text', () => {
    const choices = ['open', 'not open', 'a cat'];
    const cases: [string, number | undefined][] = [
      ['A', 0],
      ['(b)', 1],
      ['C. a cat', 2],
      ['The answer is (B).', 1],
      ['Answer: c', 2],
      ['Open.', 0],
      ['It is not open, I think.', 1],
      ['A cat', 2],
      ['A dog', undefined],
      ['D', undefined],
      ['open or a cat', undefined],
    ];
    for (const [answer, index] of cases) assert.equal(chosenOption(answer, choices), index, answer);
  });

  it('compares options, however answer and reference name them', () => {
    const choices = ['Yes', 'No'];
    assert.ok(isCorrect('Yes, it is.', ['(A)'], choices));
    assert.ok(isCorrect('(a)', ['yes'], choices));
    assert.ok(!isCorrect('B', ['(a)'], choices));
    assert.ok(!isCorrect('Perhaps', ['(a)'], choices));
  });
});

describe('focus size', () => {
  const map = (...data: number[]) => ({ rows: 1, cols: data.length, data: Float32Array.from(data) });

  it('is the smallest share of the cells with half of the heat', () => {
    assert.equal(focusSize(map(1, 1, 1, 1)), 0.5);
    assert.equal(focusSize(map(0, 8, 0, 0)), 0.125);
    // 4 + 3 + 2 + 1: half is 5, which is all of the first and a third of the second.
    assert.ok(Math.abs(focusSize(map(1, 4, 2, 3))! - (1 + 1 / 3) / 4) < 1e-9);
    assert.equal(focusSize(map(0, 0)), null);
  });
});
