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
  readonly [Option in keyof Omit<ExplainOptions, OfEach>]: Option extends Axis
    ? ExplainOptions[Option] | readonly NonNullable<ExplainOptions[Option]>[]
    : ExplainOptions[Option];
} & {
  /** As in `explain`. Where images or questions are compared a list has an entry for each of them: an answer, several, or null. */
  readonly references?: string | readonly (string | readonly string[] | null)[] | undefined;
  /** As in `explain`. Where images or questions are compared a list of lists has the options of each of them. */
  readonly choices?: readonly string[] | readonly (readonly string[] | null)[] | undefined;
};

/** Options that each image or question may have its own of. */
type OfEach = 'references' | 'choices';

/**
 * Explains the same thing several times, with one difference, and says how much the joint maps agree: Spearman's rank
 * correlation of their cells, the intersection over union of their top 20 % and their earth mover's distance. For each it tells the
 * words that depend on the image, the size of its focus, and with `references` whether the answer is right.
 *
 *     compare({ image: 'street.jpg', question: ['What is left of the dog?', 'How many cars are there?'] })
 *
 * @throws LensError where no option or more than one is a list; else as `explain`
 */
export async function compare(options: CompareOptions): Promise<ComparisonResult> {
  const axis = comparedAxis(options);
  const values: readonly unknown[] = options[axis] as readonly unknown[];
  const references = ofEach('references', options.references, axis, values.length);
  const choices = ofEach('choices', options.choices, axis, values.length);
  const images: DocumentImage[] = [];
  const explanations: Explanation[] = [];
  const origins: Origin[] = [];
  for (const [index, value] of values.entries()) {
    const { onProgress } = options;
    const { image, explanation, origin } = await explained(
      {
        ...options,
        references: references[index],
        choices: choices[index],
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
  const joint = explanations.map(({ maps, image }) => {
    const map = maps.find(({ role }) => role === 'joint');
    const { width, height } = images[image]!;
    return map ? { ...decodedMap(map), aspect: width / height } : null;
  });
  return new ComparisonResult(
    {
      schemaVersion: SCHEMA_VERSION,
      kind: 'comparison',
      images,
      explanations,
      axis: AXES[axis],
      agreement: agreements(joint),
    },
    origins,
  );
}

/** The references or choices of each value: its own where images or questions are compared, else the same. */
function ofEach(
  name: OfEach,
  given: CompareOptions[OfEach],
  axis: Axis,
  count: number,
): readonly (string | readonly string[] | undefined)[] {
  const own =
    (axis === 'image' || axis === 'question') &&
    Array.isArray(given) &&
    (name === 'references' || given.some((each) => typeof each !== 'string'));
  if (!own) return Array.from({ length: count }, () => given as string | readonly string[] | undefined);
  if (given.length === count) return given.map((each: string | readonly string[] | null) => each ?? undefined);
  throw new LensError(
    `compare(): "${name}" has ${given.length} entries for ${count} values of "${axis}"`,
    'Give one for each, null where there is none',
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
