import { createHash } from 'node:crypto';
import { z } from 'zod';
import { chosenMethod } from './attribution/methods.ts';
import type { MethodChoice } from './attribution/methods.ts';
import { CALL_SHAPE, ModelSchema } from './call-options.ts';
import type { ExplainOptions, ModelChoice } from './call-options.ts';
import { readDataset } from './dataset/read-dataset.ts';
import { keyOf, ResultsFile } from './dataset/results-file.ts';
import type { DatasetRow, RowKey, StoredRow } from './dataset/results-file.ts';
import type { DatasetSample, Sample } from './dataset/sample.ts';
import { DatasetResult } from './dataset-result.ts';
import { defaultModel } from './defaults.ts';
import { SCHEMA_VERSION } from './document.ts';
import type { LensDocument } from './document.ts';
import { EXPLAIN_SHAPE, QUESTION_SHAPE } from './engine/tasks/question-params.ts';
import { AbortError, LensError } from './errors.ts';
import { explained } from './explain.ts';
import { loadModel } from './load-model.ts';
import { checked } from './options.ts';

/** Options of `explain` that are a sample's own. */
type OfSample = 'image' | 'question' | 'answer' | 'references' | 'choices';

export interface ExplainDatasetOptions extends Omit<ExplainOptions, OfSample | 'model' | 'method'> {
  /** The DuckDB file for the results, made where there is none. What is in it already is not done again. */
  readonly file: string;
  /** One, or a list: every sample is put to each. */
  readonly model?: ModelChoice | readonly ModelChoice[] | undefined;
  /** One, or a list: every answer is explained by each. */
  readonly method?: string | MethodChoice | readonly (string | MethodChoice)[] | undefined;
  /** Whether samples that have failed before are tried again. Default false. */
  readonly retryFailed?: boolean | undefined;
}

const { model: _model, image: _image, question: _question, answer: _answer, ...SETTINGS } = QUESTION_SHAPE;
const { method: Method, ...EXPLAIN_SETTINGS } = EXPLAIN_SHAPE;

const Options = z.strictObject({
  ...SETTINGS,
  ...EXPLAIN_SETTINGS,
  ...CALL_SHAPE,
  // Of many samples one wants to know where, not where for each word.
  perToken: EXPLAIN_SHAPE.perToken.unwrap().default(false),
  method: z.union([z.array(Method).min(1), Method.transform((method) => [method])]),
  model: z.custom<ExplainDatasetOptions['model']>().optional(),
  file: z.string().min(1),
  retryFailed: z.boolean().default(false),
});

type Settings = Omit<z.output<typeof Options>, 'signal' | 'onProgress' | 'method' | 'model' | 'file' | 'retryFailed'>;

/**
 * Explains the answers to many questions, and keeps the results in a DuckDB file: a row for each sample, model and method with the answer,
 * whether it is right, the scores, and the whole document. A call that ends early, even by a kill, goes on where it stopped when it is made
 * again; a sample that fails is recorded with its message and does not stop the others.
 *
 *     await explainDataset('MMVP/Questions.csv', { file: 'mmvp.duckdb', model: ['pocket', 'pocket-large'] })
 *
 * Samples may be a list, anything that yields them, or the path of a benchmark that `readDataset` knows.
 * @throws LensError for options that are wrong, a file that holds results of other options, or a model that cannot be loaded
 * @throws AbortError once `signal` is aborted; what was done stays done
 */
export async function explainDataset(
  samples: string | Iterable<DatasetSample> | AsyncIterable<DatasetSample>,
  options: ExplainDatasetOptions,
): Promise<DatasetResult> {
  const {
    signal,
    onProgress,
    method: methods,
    model,
    file,
    retryFailed,
    ...settings
  } = checked(Options, { method: undefined, ...options }, 'explainDataset()');
  for (const { name, ...own } of methods) {
    chosenMethod({ name, ...(settings.preset !== undefined && { preset: settings.preset }), ...own });
  }
  const models = [model ?? defaultModel()]
    .flat()
    .map((each) => checked(ModelSchema, { model: each }, 'explainDataset()').model);
  const asked = await listed(samples);
  const results = await ResultsFile.open(file);
  try {
    await sameSettings(results, settings);
    const before = new Map((await results.rows()).map((row) => [keyOf(row), row]));
    const tasks = models.flatMap((each) =>
      methods.flatMap((method) =>
        asked.map((sample) => ({ sample, method, key: { sample: sample.id, model: each, method: nameOf(method) } })),
      ),
    );
    const open = tasks.filter(({ sample, key }) => !isDone(before.get(keyOf(key)), sample, retryFailed));
    const news = new News(tasks.length, tasks.length - open.length, onProgress);
    let loaded: string | undefined;
    for (const { sample, method, key } of open) {
      if (signal?.aborted) throw new AbortError();
      // A model that cannot be loaded is not the samples' fault.
      if (key.model !== loaded) await loadModel(key.model, { signal, onProgress });
      loaded = key.model;
      const row = await rowOf(sample, key, {
        ...settings,
        method,
        model: key.model,
        signal,
        onProgress: news.within(sample.id),
      });
      await results.record(row);
      news.done();
    }
    return new DatasetResult(results.file, await results.rows(), { earlier: tasks.length - open.length });
  } finally {
    await results.close();
  }
}

/** What `explainDataset` recorded in a file. */
export async function openDataset(file: string): Promise<DatasetResult> {
  const results = await ResultsFile.openExisting(file);
  try {
    return new DatasetResult(results.file, await results.rows());
  } finally {
    await results.close();
  }
}

async function listed(samples: Parameters<typeof explainDataset>[0]): Promise<readonly DatasetSample[]> {
  if (typeof samples === 'string') return readDataset(samples);
  const all: DatasetSample[] = [];
  const ids = new Set<string>();
  for await (const sample of samples) {
    if (typeof sample !== 'object' || sample === null || typeof sample.id !== 'string' || sample.id === '') {
      throw new LensError(
        `sample ${all.length + 1} has no "id"`,
        'Give each a text of its own: { id, image, question }',
      );
    }
    if (ids.has(sample.id)) {
      throw new LensError(`two samples have the id "${sample.id}"`, 'Their results could not be told apart');
    }
    ids.add(sample.id);
    all.push(sample);
  }
  return all;
}

/** Rows of one file are comparable: they were made with the same options. */
async function sameSettings(results: ResultsFile, settings: Settings): Promise<void> {
  const now = JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
  const then = await results.settings();
  if (then === undefined) return results.begin(now);
  const other = [...new Set([...Object.keys(then), ...Object.keys(now)])].find(
    (name) => JSON.stringify(then[name]) !== JSON.stringify(now[name]),
  );
  if (other === undefined) return;
  throw new LensError(
    `"${results.file}" holds results of other options: "${other}" was ${JSON.stringify(then[other]) ?? 'not given'} and is ${JSON.stringify(now[other]) ?? 'not given'} now`,
    'Give the same options, or another file',
  );
}

function isDone(row: DatasetRow | undefined, sample: DatasetSample, retryFailed: boolean): boolean {
  if (row === undefined || row.content !== contentOf(sample)) return false;
  return row.status === 'done' || !retryFailed;
}

/** A method as its rows call it. */
function nameOf({ name, ...own }: MethodChoice): string {
  return Object.keys(own).length === 0 ? name : JSON.stringify({ name, ...own });
}

/** What is asked, as far as it is text: a sample that says something else than before is another. */
function contentOf(sample: DatasetSample): string {
  const { image, ...rest } = sample as Partial<Sample>;
  const text = JSON.stringify({ ...rest, ...(typeof image === 'string' && { image }) });
  return createHash('sha256').update(text).digest('hex');
}

async function rowOf(sample: DatasetSample, key: RowKey, options: Omit<ExplainOptions, OfSample>): Promise<StoredRow> {
  const begun = performance.now();
  const common = { ...NOTHING, ...key, content: contentOf(sample) };
  const ended = () => ({ seconds: (performance.now() - begun) / 1000, created: new Date().toISOString() });
  const asked = 'problem' in sample ? {} : askedOf(sample);
  try {
    if ('problem' in sample) throw new LensError(sample.problem);
    const { image: source, question, answer, references, choices } = sample;
    const image = typeof source === 'function' ? await source() : source;
    const result = await explained({ ...options, image, question, answer, references, choices }, 'explainDataset()');
    return { ...common, ...asked, status: 'done', ...foundOf(result), ...ended() };
  } catch (error) {
    if (error instanceof AbortError || options.signal?.aborted) throw error;
    return {
      ...common,
      ...asked,
      status: 'failed',
      problem: error instanceof Error ? error.message : String(error),
      ...ended(),
    };
  }
}

const NOTHING = {
  ...{ problem: null, category: null, question: null, choices: null, references: null, answer: null, correct: null },
  ...{ depends_on_image: null, visual_tokens: null, focus: null, metrics: null, forward_evaluations: null },
  ...{ gradient_evaluations: null, image_hash: null, seed: null, provenance: null, document: null },
};

function askedOf({ category, question, choices, references }: Sample) {
  return {
    category: category ?? null,
    question,
    choices: choices ?? null,
    references: references === undefined ? null : [references].flat(),
  };
}

function foundOf({ image, explanation }: Awaited<ReturnType<typeof explained>>) {
  const { answer, correctness, dependsOnImage, focus, metrics, provenance } = explanation;
  const document: LensDocument = {
    schemaVersion: SCHEMA_VERSION,
    kind: 'explanation',
    images: [image],
    explanations: [explanation],
  };
  return {
    answer: answer.text,
    correct: correctness?.correct ?? null,
    depends_on_image: dependsOnImage,
    visual_tokens: answer.tokens.filter(({ selected }) => selected).map(({ text }) => text.trim()),
    focus: focus ?? null,
    metrics: Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
    forward_evaluations: provenance.evaluations.forward,
    gradient_evaluations: provenance.evaluations.gradient,
    image_hash: provenance.imageHash,
    seed: provenance.seed,
    provenance,
    document,
  };
}

/** How far the whole is: samples that are done, and what is being done with the next. */
class News {
  readonly #total: number;
  readonly #begun = performance.now();
  readonly #earlier: number;
  readonly #onProgress: ExplainOptions['onProgress'];
  #done: number;

  constructor(total: number, earlier: number, onProgress: ExplainOptions['onProgress']) {
    this.#total = total;
    this.#earlier = earlier;
    this.#done = earlier;
    this.#onProgress = onProgress;
  }

  within(id: string): NonNullable<ExplainOptions['onProgress']> {
    return ({ stage, step, steps, picture }) => this.#tell(`${id}: ${stage} ${step}/${steps}`, picture);
  }

  done(): void {
    this.#done++;
    this.#tell();
  }

  #tell(part?: string, picture?: string): void {
    const now = this.#done - this.#earlier;
    const each = now > 0 ? (performance.now() - this.#begun) / now : undefined;
    this.#onProgress?.({
      ...{ stage: 'samples', step: this.#done, steps: this.#total },
      rate: each === undefined ? 0 : 1000 / each,
      ...(each !== undefined && { remainingMs: each * (this.#total - this.#done) }),
      ...(part !== undefined && { part }),
      ...(picture !== undefined && { picture }),
    });
  }
}
