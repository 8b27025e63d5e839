import assert from 'node:assert/strict';
import fc from 'fast-check';
import { textLines, type Ruler } from '../../renderer/text-lines.ts';

/** Every UTF-16 code unit is 10 px wide, so that places can be counted. */
const RULER = {
  font: '',
  save: () => undefined,
  restore: () => undefined,
  measureText: (text: string) => ({ width: 10 * text.length }),
} as unknown as Ruler;

const layOut = (text: string, width: number, marks: { start: number; end: number; mark: string }[] = []) =>
  textLines(RULER, text, { width, font: '10px x', marks });

/** The words of each line from left to right. */
function rows(text: string, width: number): readonly string[] {
  const { runs, lines } = layOut(text, width);
  return lines.map((_, line) =>
    runs
      .filter((run) => run.line === line)
      .sort((a, b) => a.x - b.x)
      .map((run) => run.text)
      .join(' '),
  );
}

describe('lines of text', () => {
  it('break at blanks and newlines, and drop the blanks there', () => {
    assert.deepEqual(rows('one two three', 80), ['one two', 'three']);
    assert.deepEqual(rows('one\n\n  two ', 80), ['one', '', 'two']);
    assert.deepEqual(layOut('', 80).lines, []);
  });

  it('cut a word that is wider than a line, never within a character', () => {
    assert.deepEqual(rows('abcdefgh', 30), ['abc', 'def', 'gh']);
    // Two families of three, of eight code units each.
    assert.deepEqual(rows('👩‍👩‍👧👩‍👩‍👧', 90), ['👩‍👩‍👧', '👩‍👩‍👧']);
  });

  it('break between ideographs, but not before a full stop nor after an opening bracket', () => {
    assert.deepEqual(rows('黒い猫が庭にいる。', 80), ['黒い猫が庭に', 'いる。']);
    assert.ok(rows('猫と犬がいる。鳥もいる。', 60).every((row) => !/^[。」]/u.test(row)));
    assert.ok(rows('「猫」「犬」「鳥」「馬」', 40).every((row) => !/「$/u.test(row)));
  });

  it('run from right to left where the script does, from the right edge, line by line', () => {
    const { runs, lines } = layOut('אבג דהו זחט', 80);
    assert.deepEqual(
      runs.map(({ text, x, line, rightToLeft }) => [text, x, line, rightToLeft]),
      // The first word stands at the right: 80 − 30.
      [
        ['דהו', 10, 0, true],
        ['אבג', 50, 0, true],
        ['זחט', 50, 1, true],
      ],
    );
    assert.deepEqual(lines, [
      { left: 10, right: 80, rightToLeft: true },
      { left: 50, right: 80, rightToLeft: true },
    ]);
  });

  it('keep numbers and Latin words from left to right within it, and its words in order within Latin', () => {
    assert.deepEqual(rows('אבג API 42 דהו', 200), ['דהו API 42 אבג']);
    assert.deepEqual(rows('the אבג דהו end', 200), ['the דהו אבג end']);
  });

  it('put marks beneath their characters, mirrored where the text is', () => {
    const latin = layOut('ab cdef', 100, [{ start: 4, end: 6, mark: 'de' }]);
    assert.deepEqual(latin.boxes, [{ mark: 'de', x: 40, line: 0, width: 20 }]);
    const hebrew = layOut('אבגד', 100, [{ start: 0, end: 1, mark: 'first' }]);
    assert.deepEqual(hebrew.boxes, [{ mark: 'first', x: 90, line: 0, width: 10 }]);
    const broken = layOut('ab cd', 30, [{ start: 0, end: 5, mark: 'both' }]);
    assert.deepEqual(
      broken.boxes.map(({ line, x, width }) => [line, x, width]),
      [
        [0, 0, 20],
        [1, 0, 20],
      ],
    );
  });

  it('lose no character but blanks, and leave no line too wide, whatever the text', () => {
    const character = fc.constantFrom(...'ab ,(א؟س3一。」🐈\n\u202e\u2067');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 40 }), fc.integer({ min: 20, max: 200 }), (characters, width) => {
        const text = characters.join('');
        const { runs, lines } = layOut(text, width);
        const sorted = (words: string): string => [...words.replace(/\s/gu, '')].sort().join('');
        assert.equal(sorted(runs.map((run) => run.text).join('')), sorted(text));
        for (const { x, width: wide, line } of runs) {
          assert.ok(x >= -1e-9 && x + wide <= width + 1e-9, `line ${line} of ${JSON.stringify(text)} at ${width}`);
        }
        assert.ok(runs.every(({ line }) => line < lines.length));
      }),
    );
  });
});
