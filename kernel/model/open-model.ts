import path from 'node:path';
import { LensError } from '../errors.ts';
import type { Picture } from '../image/picture.ts';
import { embeddedModels } from './embedded.ts';
import { familyOf } from './families.ts';
import type { Family } from './family.ts';
import { DECODER, EMBED, modelFolder, readModelFiles } from './files.ts';
import type { ModelFiles } from './files.ts';
import { generate } from './generate.ts';
import type {
  AnswerOptions,
  AnswerScorer,
  GeneratedAnswer,
  LoadedModel,
  ModelInfo,
  ModelProvenance,
  ScorerOptions,
  TokenisedText,
} from './loaded-model.ts';
import { Prompter } from './prompt.ts';
import { modelProvenance } from './provenance.ts';
import { OnnxScorer } from './scorer.ts';
import { widthOf } from './scorer.ts';
import type { Segment } from './scorer.ts';
import { ScoreSessions } from './score-sessions.ts';
import { continued, counted, runsOf, tokenValues } from './sequence.ts';
import type { Positions, Prompt } from './sequence.ts';
import { floats, int64, Session } from './session.ts';
import { TextTokenizer } from './tokenizer.ts';
import { VisionRunner } from './vision-runner.ts';
import type { PictureSize, VisionPlan } from './vision-plan.ts';

const DEFAULT_MAX_NEW_TOKENS = 64;
/** Where neither config.json nor tokenizer_config.json gives a length. */
const DEFAULT_CONTEXT = 2048;
/** tokenizer_config.json says 10³⁰ where there is no limit. */
const NO_LIMIT = 1e9;
/**
 * Texts differ in length: score graphs are made for multiples of this many tokens. What is too much stands at the end, where a
 * causal decoder does not see it.
 */
const TEXT_STEP = 16;
/** The picture whose views `ModelInfo` lists. */
const TYPICAL: PictureSize = { width: 512, height: 512 };

/**
 * Loads a model: its files are read and checked, and its graphs are opened in ONNX Runtime.
 * @param model 'pocket' or another embedded model, or a folder in the Hugging Face ONNX layout
 * @throws LensError for whatever is missing or broken, with the file's name
 */
export async function openModel(model: string): Promise<LoadedModel> {
  const files = await readModelFiles(modelFolder(model));
  const { config } = files;
  const family = familyOf(config);
  const tokenizer = new TextTokenizer(files);
  const image = imageToken(files, family, tokenizer);
  const stems = Object.keys(files.graphs);
  const opened = await Promise.all(stems.map((graph) => Session.open(files.graphs[graph]!)));
  const sessions = Object.fromEntries(stems.map((graph, i) => [graph, opened[i]!]));
  try {
    const site = {
      files,
      imageToken: image.token,
      tokenOf: (id: number) => tokenizer.tokenOf(id),
      inputs: (graph: string) => sessions[graph]!.inputs,
    };
    const plan = family.vision(site);
    const contextLength = contextOf(files);
    const mark = { id: image.id, text: family.pictureText?.(site) ?? image.token };
    const prompter = new Prompter(files, tokenizer, mark, contextLength);
    const info: ModelInfo = {
      id: embeddedModels().includes(model) ? model : path.basename(files.folder),
      type: config.model_type,
      folder: files.folder,
      contextLength,
      vocabularySize:
        config.text_config?.vocab_size ??
        config.vocab_size ??
        Number(sessions[DECODER]!.outputs.get('logits')?.shape.at(-1)),
      views: plan(TYPICAL).stacks.flatMap(({ views, height, width, rows, cols }) =>
        views.map(({ name }) => ({ name, height, width, rows, cols })),
      ),
    };
    return new OnnxModel({ info, files, family, plan, tokenizer, prompter, sessions });
  } catch (problem) {
    await Promise.all(opened.map((session) => session.release()));
    throw problem;
  }
}

function imageToken(files: ModelFiles, family: Family, tokenizer: TextTokenizer): { id: number; token: string } {
  const id = family.imageToken(files.config);
  const token = id === undefined ? undefined : tokenizer.tokenOf(id);
  if (id !== undefined && token !== undefined) return { id, token };
  throw new LensError(
    `the model in "${files.folder}" has no image token${id === undefined ? '' : ` ${id}`}`,
    'config.json and tokenizer.json must be of the same model',
  );
}

function contextOf({ config, tokenizerConfig }: ModelFiles): number {
  const limit = tokenizerConfig.model_max_length;
  return (
    config.text_config?.max_position_embeddings ??
    config.max_position_embeddings ??
    (limit !== undefined && limit < NO_LIMIT ? limit : DEFAULT_CONTEXT)
  );
}

interface ModelParts {
  readonly info: ModelInfo;
  readonly files: ModelFiles;
  readonly family: Family;
  readonly plan: (picture: PictureSize) => VisionPlan;
  readonly tokenizer: TextTokenizer;
  readonly prompter: Prompter;
  readonly sessions: Readonly<Record<string, Session>>;
}

class OnnxModel implements LoadedModel {
  readonly info: ModelInfo;
  readonly #parts: ModelParts;
  readonly #endTokens: ReadonlySet<number>;
  readonly #scores: ScoreSessions;
  readonly #vision: VisionRunner;

  constructor(parts: ModelParts) {
    this.info = parts.info;
    this.#parts = parts;
    const { graphs, encoders, generation, config } = parts.files;
    this.#scores = new ScoreSessions(
      Object.fromEntries([...encoders, DECODER].map((graph) => [graph, graphs[graph]!])),
    );
    this.#vision = new VisionRunner(parts.sessions, graphs);
    const end = generation.eos_token_id ?? config.eos_token_id ?? config.text_config?.eos_token_id ?? [];
    this.#endTokens = new Set([end].flat());
  }

  async answer(picture: Picture, question: string, options: AnswerOptions = {}): Promise<GeneratedAnswer> {
    const { maxNewTokens = DEFAULT_MAX_NEW_TOKENS, signal, onToken } = options;
    const { prompter, family, sessions, tokenizer } = this.#parts;
    const plan = this.#parts.plan(picture);
    const prompt = prompter.prompt(question, plan);
    const features = await this.#vision.features(plan, picture);
    const embeddings = spliced(await this.#segments(prompt, []), features);
    const { ids, logp, stopped } = await generate(
      sessions[DECODER]!,
      { data: embeddings, length: prompt.ids.length },
      (id) => this.#embed([id]),
      {
        endTokens: this.#endTokens,
        maxNewTokens: Math.min(maxNewTokens, prompter.room(prompt)),
        positions: this.#positions(prompt, plan),
        tokenInputs: Object.fromEntries(
          Object.entries(family.tokenInputs ?? {}).map(([name, value]) => [
            name,
            { prompt: tokenValues(value, prompt, 0), answer: value({ image: false, prompt: false }) },
          ]),
        ),
        signal,
        onToken,
      },
    );
    return { ...tokenizer.spans(ids), logp, stopped };
  }

  async scorer(
    picture: Picture,
    question: string,
    answer: string | readonly number[],
    { seed = 0, signal }: ScorerOptions = {},
  ): Promise<AnswerScorer> {
    const { prompter, tokenizer, family } = this.#parts;
    const plan = this.#parts.plan(picture);
    const prompt = prompter.prompt(question, plan);
    const ids = typeof answer === 'string' ? prompter.answer(answer, question) : answer;
    if (ids.length === 0)
      throw new LensError('the answer has no tokens', 'There is nothing to explain in an empty answer');
    prompter.checkRoom(prompt, ids.length);
    // The last token is predicted, and nothing is predicted from it.
    const room = prompter.room(prompt) - (ids.length - 1);
    const segments = filledUp(await this.#segments(prompt, ids.slice(0, -1)), room);
    const filled = segments.reduce((sum, { length }) => sum + length, 0) - prompt.ids.length;
    return new OnnxScorer({
      sessions: this.#scores,
      picture,
      plan,
      answer: tokenizer.spans(ids),
      segments,
      firstPrediction: prompt.ids.length - 1,
      positions: continued(this.#positions(prompt, plan), filled),
      tokenInputs: Object.fromEntries(
        Object.entries(family.tokenInputs ?? {}).map(([name, value]) => [name, tokenValues(value, prompt, filled)]),
      ),
      seed,
      signal,
      encode: (shown) => this.#vision.features(plan, shown),
    });
  }

  tokens(answer: string): TokenisedText {
    return this.#parts.tokenizer.spans(this.#parts.prompter.answer(answer));
  }

  provenance(): Promise<ModelProvenance> {
    return modelProvenance(this.#parts.files);
  }

  async release(): Promise<void> {
    this.#scores.release();
    this.#vision.release();
    await Promise.all(Object.values(this.#parts.sessions).map((session) => session.release()));
  }

  #positions(prompt: Prompt, plan: VisionPlan): Positions {
    const { family, files } = this.#parts;
    return family.positions?.(prompt, plan, files.config) ?? counted(prompt.ids.length);
  }

  /** The stretches of a prompt and of the tokens after it, with the embeddings of the text. */
  async #segments(prompt: Prompt, after: readonly number[]): Promise<Segment[]> {
    const ids = [...prompt.ids, ...after];
    const image = new Set(prompt.imagePositions);
    const text = ids.filter((_, i) => !image.has(i));
    const rows = await this.#embed(text);
    const width = rows.length / text.length;
    let at = 0;
    return runsOf({ ids, imagePositions: prompt.imagePositions }).map(({ kind, length }) => {
      if (kind === 'image') return { kind, length };
      at += length;
      return { kind, length, width, rows: rows.subarray((at - length) * width, at * width) };
    });
  }

  /** Embeddings of ids: [ids, width]. */
  async #embed(ids: readonly number[]): Promise<Float32Array> {
    const results = await this.#parts.sessions[EMBED]!.run({ input_ids: int64(ids, [1, ids.length]) });
    return floats(results, 'inputs_embeds');
  }
}

/** The embeddings of a whole prompt, the picture's features in their places. */
function spliced(segments: readonly Segment[], features: Float32Array): Float32Array {
  const width = widthOf(segments);
  const whole = new Float32Array(segments.reduce((sum, { length }) => sum + length, 0) * width);
  let at = 0;
  let row = 0;
  for (const segment of segments) {
    const size = segment.length * width;
    whole.set(segment.kind === 'text' ? segment.rows : features.subarray(row, row + size), at);
    if (segment.kind === 'image') row += size;
    at += size;
  }
  return whole;
}

/**
 * Fills the last stretch up to a multiple of TEXT_STEP, or as far as there is room: with its last row, since zeros may have no
 * norm to divide by.
 */
function filledUp(segments: readonly Segment[], room: number): Segment[] {
  const last = segments.at(-1)!;
  if (last.kind === 'image') return [...segments];
  const { width, rows } = last;
  const length = Math.min(last.length + room, Math.ceil(last.length / TEXT_STEP) * TEXT_STEP);
  const filled = new Float32Array(length * width);
  filled.set(rows);
  const row = rows.subarray(rows.length - width);
  for (let at = rows.length; at < filled.length; at += width) filled.set(row, at);
  return [...segments.slice(0, -1), { kind: 'text', length, width, rows: filled }];
}
