import { z } from 'zod';
import { MOST_CHARACTERS, withOptions } from '../format.ts';
import type { DatasetFormat } from '../format.ts';

const text = z.string().trim().min(1).max(MOST_CHARACTERS);

const Row = z.object({
  index: z.coerce.number().int().positive(),
  question: text,
  options: text,
  'correct answer': text,
});

/** '(a) Open (b) Closed' */
const OPTION = /\(([a-z])\) ?(.*?) ?(?=\([a-z]\)|$)/gi;

/**
 * MMVP: pairs of pictures that CLIP takes for the same. `Questions.csv` with Index, Question, Options ("(a) Open (b) Closed") and Correct
 * Answer ("(a)"); the picture of a question is the one of its number.
 */
export const mmvp: DatasetFormat = {
  name: 'mmvp',
  source: 'https://huggingface.co/datasets/MMVP/MMVP',
  files: ['Questions.csv'],
  fields: ['index', 'question', 'options', 'correct answer'],
  images: 'MMVP Images',
  sample({ fields }, { withChoices, picture }) {
    const lowerCase = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name.trim().toLowerCase(), value]),
    );
    const row = Row.parse(lowerCase);
    const choices = [...row.options.replace(/\s+/g, ' ').matchAll(OPTION)].map(([, , option]) => option!);
    return {
      id: String(row.index),
      image: picture(`${row.index}.jpg`),
      question: withChoices
        ? withOptions(row.question, choices, "Answer only with the option's letter from the given choices directly.")
        : row.question,
      references: row['correct answer'],
      ...(choices.length > 1 && { choices }),
    };
  },
};
