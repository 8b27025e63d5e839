import { z } from 'zod';
import { MOST_CHARACTERS } from '../format.ts';
import type { DatasetFormat } from '../format.ts';

const text = z.string().trim().min(1).max(MOST_CHARACTERS);

const Line = z.object({
  question_id: z.union([z.int(), text]).transform(String),
  image: text,
  text,
  category: text.optional(),
});

/**
 * LLaVA-Bench (In-the-Wild): `questions.jsonl` with question_id, image, text and category, and `answers_gpt4.jsonl` with the reference
 * answers by question_id. All questions are open-ended.
 */
export const llavaBench: DatasetFormat = {
  name: 'llava-bench',
  source: 'https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild',
  files: ['questions.jsonl'],
  fields: ['question_id', 'image', 'text'],
  images: 'images',
  answers: { files: ['answers_gpt4.jsonl', 'answers.jsonl'], id: 'question_id', text: 'text' },
  sample({ fields }, { picture, answers }) {
    const { question_id: id, image, text: question, category } = Line.parse(fields);
    return { id, image: picture(image), question, references: answers.get(id), category };
  },
};
