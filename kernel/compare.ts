import type { ExplainOptions } from './call-options.ts';
import { SCHEMA_VERSION } from './document.ts';
import type { CompareAxis, DocumentImage, Explanation } from './document.ts';
import { LensError } from './errors.ts';
import { explained } from './explain.ts';
import { agreements } from './metrics/agreement.ts';
import { ComparisonResult } from './results.ts';
import type { Origin } from './results.ts';
import { decodedMap } from './saliency-bytes.ts';

type Axis = 'image' | 'question' | 'answer' | 'method' | 'model';

/** What may differ between the explanations, and how the document calls it. */
const AXES: Readonly<Record<Axis, CompareAxis>> = {
  image: 'images',
  question: 'questions',
  answer: 'answers',
  method: 'methods',
  model: 'models',
};

/** The options of `explain`, of which exactly one of image, question, answer, method and model is a list. */
export type CompareOptions = {
  readonly [Option in keyof ExplainOptions]: Option extends Axis
    ? ExplainOptions[Option] | readonly NonNullable<ExplainOptions[Option]>[]
    : ExplainOptions[Option];
};

/**
 * Explains the same thing several times, with one difference, and says how much the joint maps agree: Spearman's rank
 * correlation of their cells and the intersection over union of their top 20 %.
 *
 *     compare({ image: 'street.jpg', question: ['What is left of the dog?', 'How many cars are there?'] })
 *
 * @throws LensError where no option or more than one is a list; else as `explain`
 */
export async function compare(options: CompareOptions): Promise<ComparisonResult> {
  const axis = comparedAxis(options);
  const values: readonly unknown[] = options[axis] as readonly unknown[];
  const images: DocumentImage[] = [];
  const explanations: Explanation[] = [];
  const origins: Origin[] = [];
  for (const [index, value] of values.entries()) {
    const { onProgress } = options;
    const { image, explanation, origin } = await explained(
      {
        ...options,
        [axis]: value,
        ...(onProgress && {
          onProgress: (progress) =>
            onProgress({ ...progress, stage: `${axis} ${index + 1} of ${values.length}: ${progress.stage}` }),
        }),
      } as ExplainOptions,
      'compare()',
    );
    const shown = images.findIndex((other) => other.data === image.data && other.name === image.name);
    if (shown < 0) images.push(image);
    origins.push(origin);
    explanations.push({
      ...explanation,
      label: labelOf(axis, explanation, image, index),
      image: shown < 0 ? images.length - 1 : shown,
    });
  }
  const joint = explanations.map(({ maps }) => maps.find(({ role }) => role === 'joint'));
  return new ComparisonResult(
    {
      schemaVersion: SCHEMA_VERSION,
      kind: 'comparison',
      images,
      explanations,
      axis: AXES[axis],
      agreement: agreements(joint.map((map) => (map ? decodedMap(map) : null))),
    },
    origins,
  );
}

/** The one option that is a list. */
function comparedAxis(options: CompareOptions): Axis {
  if (typeof options !== 'object' || options === null) {
    throw new LensError('compare() needs an object of options', EXAMPLE);
  }
  const lists = (Object.keys(AXES) as Axis[]).filter((option) => Array.isArray(options[option]));
  const [axis, another] = lists;
  if (axis === undefined) {
    throw new LensError(`compare() needs a list for one of: ${Object.keys(AXES).join(', ')}`, EXAMPLE);
  }
  if (another !== undefined) {
    throw new LensError(
      `compare() compares along one axis, but ${lists.map((list) => `"${list}"`).join(' and ')} are both lists`,
      'Make one of them a list and call compare() again for the other',
    );
  }
  if ((options[axis] as readonly unknown[]).length < 2) {
    throw new LensError(`compare() needs at least two values of "${axis}" to compare`, EXAMPLE);
  }
  return axis;
}

const EXAMPLE = "For instance: compare({ image: 'street.jpg', question: ['Where is the dog?', 'Where is the cat?'] })";

/** What tells an explanation from its neighbours. */
function labelOf(axis: Axis, explanation: Explanation, image: DocumentImage, index: number): string {
  const { method, parameters } = explanation.provenance;
  const labels: Readonly<Record<Axis, string>> = {
    image: image.name ?? `image ${index + 1}`,
    question: explanation.question,
    answer: explanation.answer.text,
    method: parameters.preset === 'default' ? method : `${method} (${String(parameters.preset)})`,
    model: explanation.model.id,
  };
  return labels[axis];
}
