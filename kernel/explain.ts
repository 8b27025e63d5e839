import { chosenMethod } from './attribution/methods.ts';
import { ExplainOptionsSchema } from './call-options.ts';
import type { ExplainOptions } from './call-options.ts';
import { defaultEngine } from './default-engine.ts';
import { SCHEMA_VERSION } from './document.ts';
import type { Explanation } from './document.ts';
import type { Answered } from './engine/tasks/answered.ts';
import { correctnessOf } from './correctness.ts';
import { focusSize } from './metrics/focus-size.ts';
import { checked } from './options.ts';
import { ExplanationResult } from './results.ts';
import type { Origin } from './results.ts';
import { decodedMap } from './saliency-bytes.ts';

/**
 * Where does the model look when it answers? Answers the question (or takes `answer`), selects the tokens that depend on the
 * image, and makes one joint map for them and one for each, with deletion and insertion measured.
 * @throws LensError for options that are wrong, images that cannot be read, models that cannot be loaded or differentiated
 * @throws AbortError once `signal` is aborted
 */
export async function explain(options: ExplainOptions): Promise<ExplanationResult> {
  const { image, explanation, origin } = await explained(options, 'explain()');
  return new ExplanationResult(
    { schemaVersion: SCHEMA_VERSION, kind: 'explanation', images: [image], explanations: [explanation] },
    origin,
  );
}

/** Checks the options and has the engine do the work. @param what whose options they are, for messages */
export async function explained(
  options: ExplainOptions,
  what: string,
): Promise<Answered & { readonly origin: Origin }> {
  const { signal, onProgress, references, choices, ...params } = checked(ExplainOptionsSchema, options, what);
  // The engine checks it as well; here it is checked before anything is loaded.
  chosenMethod({ ...(params.preset !== undefined && { preset: params.preset }), ...params.method });
  const { image, explanation } = await defaultEngine().call('explain', params, { signal, onProgress });
  return {
    image,
    explanation: { ...explanation, ...focusOf(explanation), ...correctnessOf(explanation, references, choices) },
    origin: { source: params.image, modelName: params.model },
  };
}

function focusOf({ maps }: Explanation): Pick<Explanation, 'focus'> {
  const joint = maps.find(({ role }) => role === 'joint');
  const focus = joint && focusSize(decodedMap(joint));
  return typeof focus === 'number' ? { focus } : {};
}
