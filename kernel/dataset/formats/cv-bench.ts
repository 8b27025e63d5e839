import { z } from 'zod';
import { MOST_CHARACTERS, withOptions } from '../format.ts';
import type { DatasetFormat } from '../format.ts';

const text = z.string().trim().min(1).max(MOST_CHARACTERS);

const Line = z.object({
  idx: z.union([z.int(), text]).transform(String),
  task: text.optional(),
  question: text,
  choices: z.array(text).min(2).max(26),
  answer: text,
  filename: text,
});

/**
 * CV-Bench (Cambrian-1): `test_2d.jsonl` and `test_3d.jsonl` with idx, task, question, choices, answer ("(C)") and filename, a path below
 * `img/`.
 */
export const cvBench: DatasetFormat = {
  name: 'cv-bench',
  source: 'https://huggingface.co/datasets/nyu-visionx/CV-Bench',
  files: ['test_2d.jsonl', 'test_3d.jsonl', 'test.jsonl'],
  fields: ['idx', 'question', 'choices', 'answer', 'filename'],
  images: 'img',
  sample({ fields }, { withChoices, picture }) {
    const { idx, task, question, choices, answer, filename } = Line.parse(fields);
    return {
      id: idx,
      image: picture(filename),
      question: withChoices
        ? withOptions(question, choices, "Answer with the option's letter from the given choices directly.")
        : question,
      references: answer,
      choices,
      category: task,
    };
  },
};
