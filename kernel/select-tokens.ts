import { SelectTokensOptionsSchema } from './call-options.ts';
import type { QuestionOptions } from './call-options.ts';
import { correctnessOf } from './correctness.ts';
import { defaultEngine } from './default-engine.ts';
import { SCHEMA_VERSION } from './document.ts';
import { checked } from './options.ts';
import { SelectionResult } from './results.ts';

/**
 * Which words of the answer depend on the image? Scores each token with the image and with the baseline, and says which are
 * selected and why. Much quicker than `explain`: no gradient is needed.
 * @throws LensError and AbortError as `explain`
 */
export async function selectTokens(options: QuestionOptions): Promise<SelectionResult> {
  const { signal, onProgress, references, choices, ...params } = checked(
    SelectTokensOptionsSchema,
    options,
    'selectTokens()',
  );
  const { image, explanation } = await defaultEngine().call('selectTokens', params, { signal, onProgress });
  return new SelectionResult({
    schemaVersion: SCHEMA_VERSION,
    kind: 'selection',
    images: [image],
    explanations: [{ ...explanation, ...correctnessOf(explanation, references, choices) }],
  });
}
