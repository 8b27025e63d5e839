/** An explanation as plain text for the shell. */
import { notesOf } from '../../renderer/wording.ts';
import type { AnswerToken, Explanation } from '../document.ts';

/**
 * Question, answer, one line for each token (marked where the token depends on the image), and the scores:
 *
 *     Question  what is left of the dog?
 *     Answer    a red ball
 *
 *         LLR  log p
 *        0.02  -0.01    a
 *     *  6.31  -0.00    red
 */
export function resultText(explanation: Explanation): string {
  const { question, answer, dependsOnImage, metrics } = explanation;
  const scores = metrics.map(({ name, value }) => `${name} ${value.toFixed(3)}`).join(', ');
  return [
    `Question  ${question}`,
    `Answer    ${answer.text}${answer.source === 'given' ? '  (given)' : ''}`,
    '',
    '       LLR    log p  token',
    ...answer.tokens.map(tokenLine),
    '',
    dependsOnImage
      ? `* depends on the image: the log-likelihood ratio (LLR) is above ${answer.threshold}`
      : `The answer does not depend on the image: no word has a log-likelihood ratio (LLR) above ${answer.threshold}.`,
    ...(scores === '' ? [] : [scores]),
    ...notesOf(explanation).map((note) => `Note: ${note}`),
  ].join('\n');
}

function tokenLine({ text, llr, logp, selected, reason }: AnswerToken): string {
  const why = selected || reason === 'below threshold' ? '' : `  (${reason})`;
  return `${selected ? '*' : ' '} ${llr.toFixed(2).padStart(8)} ${logp.toFixed(2).padStart(8)}  ${text.trim()}${why}`;
}
