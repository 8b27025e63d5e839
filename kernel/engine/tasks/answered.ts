import type { DocumentImage, Explanation } from '../../document.ts';
import { documentImage } from '../../image/document-image.ts';
import type { Asked } from './ask.ts';
import type { SelectTokensParams } from './question-params.ts';
import type { Stopwatch } from './stopwatch.ts';

/** What a task about one question returns: one explanation of the document, and its picture. */
export interface Answered {
  readonly image: DocumentImage;
  readonly explanation: Explanation;
}

/** Options that are not parameters of the result: what it is about stands elsewhere in the document. */
const ELSEWHERE = ['model', 'image', 'question', 'answer', 'seed', 'threshold'];

type Findings = Pick<Explanation, 'maps' | 'curves' | 'metrics' | 'encoders'>;

/**
 * Puts a result together, with everything that is needed to make it again.
 * @param method its name as provenance gives it; 'none' for a selection of tokens
 */
export async function answered(
  { model, picture, scorer, answer, selected, baseline, stopWords }: Asked,
  params: SelectTokensParams,
  { milliseconds }: Stopwatch,
  method: string,
  parameters: Readonly<Record<string, unknown>>,
  findings: Findings,
): Promise<Answered> {
  const [{ versions, files }, image] = await Promise.all([model.provenance(), documentImage(picture)]);
  const { id, type, notice } = model.info;
  const call = Object.fromEntries(Object.entries(params).filter(([name]) => !ELSEWHERE.includes(name)));
  return {
    image,
    explanation: {
      label: params.question,
      image: 0,
      model: { id, type, ...(notice !== undefined && { notice }) },
      question: params.question,
      answer,
      dependsOnImage: selected.length > 0,
      ...findings,
      provenance: {
        versions,
        files,
        imageHash: picture.hash,
        method,
        parameters: {
          ...call,
          baseline,
          baselineAsked: params.baseline,
          thresholdAsked: params.threshold,
          ...(stopWords && { stopWords }),
          ...parameters,
        },
        seed: params.seed,
        evaluations: { ...scorer.evaluations },
        milliseconds: { ...milliseconds },
        created: new Date().toISOString(),
      },
    },
  };
}
