/** Which tokens are selected at a threshold of the reader's choice. */
import type { Answer, AnswerToken, SelectionReason } from '../kernel/document.ts';

/** The ratio that suffices for an answer of one token: half as likely without the image (the paper's rule). */
const ONE_TOKEN = Math.log(2);

/** Left out whatever their ratio. */
const NEVER: ReadonlySet<SelectionReason> = new Set(['stop word', 'punctuation']);

function reaches(token: AnswerToken, alpha: number, alone: boolean): boolean {
  if (alone) return token.llr >= Math.min(alpha, ONE_TOKEN);
  return !NEVER.has(token.reason) && token.llr > alpha;
}

/** Indexes of the selected tokens. @param alpha null for the selection as it was computed */
export function selectedAt({ tokens }: Answer, alpha: number | null): ReadonlySet<number> {
  const alone = tokens.length === 1;
  const chosen = tokens.flatMap((token, index) =>
    (alpha === null ? token.selected : reaches(token, alpha, alone)) ? [index] : [],
  );
  return new Set(chosen);
}
