import { z } from 'zod';
import { MOST_CHARACTERS } from '../format.ts';
import type { DatasetFormat } from '../format.ts';

const text = z.string().trim().min(1).max(MOST_CHARACTERS);

const Row = z.object({
  index: z.union([z.int(), text]).transform(String),
  question: text,
  answer: text,
  category: text.optional(),
});

/** 'Options: A: a dog, B: a cat', 'Choices:\n(A) a dog\n(B) a cat' */
const OPTION = /(?:^|[ ,(])([A-H]) ?[):.] ?(.*?)(?=[ ,(][A-H] ?[):.]|$)/g;

/**
 * MMStar: `mmstar.parquet` with index, question (its options are a part of it), answer ("A"), category, and the picture's bytes in the
 * column image. Open-ended, the question ends at its first question mark, as in the paper's experiments.
 */
export const mmstar: DatasetFormat = {
  name: 'mmstar',
  source: 'https://huggingface.co/datasets/Lin-Chen/MMStar',
  files: ['mmstar.parquet'],
  fields: ['index', 'question', 'answer', 'image'],
  sample({ fields, picture }, { withChoices }) {
    const { index, question, answer, category } = Row.parse(fields);
    const mark = question.indexOf('?');
    const choices = optionsOf(question.slice(mark + 1));
    return {
      id: index,
      image: () => picture!('image'),
      question: withChoices
        ? `${question}\nAnswer with the option's letter from the given choices directly.`
        : mark < 0
          ? question
          : question.slice(0, mark + 1),
      references: answer,
      ...(choices.length > 1 && { choices }),
      category,
    };
  },
};

/** The options that a question lists, where they are A, B, … in order. */
function optionsOf(question: string): string[] {
  const line = question.replace(/\s+/g, ' ');
  const start = /(?:options|choices) ?:/i.exec(line);
  const listed = [...line.slice(start === null ? 0 : start.index + start[0].length).matchAll(OPTION)];
  const inOrder = listed.every(([, letter], i) => letter!.charCodeAt(0) === 65 + i);
  return inOrder
    ? listed.map(([, , option]) => option!.replace(/^[ ,;(]+|[ ,;(]+$/g, '')).filter((option) => option !== '')
    : [];
}
