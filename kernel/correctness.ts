import type { Explanation } from './document.ts';
import { isCorrect } from './metrics/answer-correctness.ts';

/** What a document says of an answer that is held against references; nothing where there are none. */
export function correctnessOf(
  { answer }: Explanation,
  references: readonly string[] | undefined,
  choices: readonly string[] | undefined,
): Pick<Explanation, 'correctness'> {
  if (references === undefined) return {};
  return {
    correctness: {
      correct: isCorrect(answer.text, references, choices),
      references,
      ...(choices && { choices }),
    },
  };
}
