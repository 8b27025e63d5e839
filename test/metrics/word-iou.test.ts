import assert from 'node:assert/strict';
import type { Mask } from '../../kernel/attribution/scorer.ts';
import { isFunctionWord, wordIou } from '../../kernel/metrics/word-iou.ts';

const map = (...data: number[]): Mask => ({ rows: 2, cols: 2, data: Float32Array.from(data) });
const truth = (...data: number[]) => ({ width: 2, height: 2, data });

/** Tokens of 'There is a polar bear': the first letter of each word says which. */
const ANSWER = 'There is a polar bear';
const SPANS = { There: [0, 5], is: [6, 8], a: [9, 10], polar: [11, 16], bear: [17, 21] } as const;
const token = (word: keyof typeof SPANS, of: Mask) => ({ start: SPANS[word][0], end: SPANS[word][1], map: of });
const named = (word: keyof typeof SPANS, where: ReturnType<typeof truth>) => ({
  start: SPANS[word][0],
  end: SPANS[word][1],
  truth: where,
});

describe('Obj-IoU, Func-IoU and F1-IoU', () => {
  it('worked out by hand', () => {
    // bear: Otsu marks the two high cells, of which one is inside: IoU ½. Its threshold lies between 1 and 8.
    // There: 3 of 4 cells stay below it; a: all 4. Func-IoU (¾ + 1) / 2; "is" is no function word here.
    const { obj, func, f1 } = wordIou(
      ANSWER,
      [named('bear', truth(1, 0, 0, 0))],
      [
        token('bear', map(9, 8, 0, 1)),
        token('There', map(9, 0, 0, 0)),
        token('a', map(0, 0, 1, 0)),
        token('is', map(9, 9, 9, 9)),
      ],
    );
    assert.equal(obj, 0.5);
    assert.equal(func, 0.875);
    assert.ok(Math.abs(f1! - (2 * 0.5 * 0.875) / 1.375) < 1e-12);
  });

  it('of neighbouring words for one thing take the better, and of two things the mean', () => {
    const bear = truth(1, 0, 0, 0);
    const maps = [token('polar', map(0, 9, 0, 0)), token('bear', map(9, 0, 0, 0))];
    assert.equal(wordIou(ANSWER, [named('polar', bear), named('bear', bear)], maps).obj, 1);
    assert.equal(wordIou(ANSWER, [named('polar', truth(1, 0, 0, 0)), named('bear', bear)], maps).obj, 0.5);
  });

  it('of a word of several tokens takes the best of them', () => {
    const halves = [
      { start: 17, end: 19, map: map(0, 9, 0, 0) },
      { start: 19, end: 21, map: map(9, 0, 0, 0) },
    ];
    assert.equal(wordIou(ANSWER, [named('bear', truth(1, 0, 0, 0))], halves).obj, 1);
  });

  it('of a flat map is 0, and of words without maps nothing', () => {
    const words = [named('bear', truth(1, 1, 1, 1))];
    assert.equal(wordIou(ANSWER, words, [token('bear', map(1, 1, 1, 1))]).obj, 0);
    assert.deepEqual(wordIou(ANSWER, words, [token('a', map(1, 0, 0, 0))]), {
      obj: undefined,
      func: undefined,
      f1: undefined,
    });
    assert.equal(wordIou(ANSWER, words, [token('bear', map(1, 0, 0, 0))]).func, undefined);
  });

  it('counts closed classes as function words, and neither places nor numbers', () => {
    for (const word of ['There', 'the', 'and', 'it']) assert.ok(isFunctionWord(word), word);
    for (const word of ['is', 'left', 'of', 'two', 'dog']) assert.ok(!isFunctionWord(word), word);
  });
});
