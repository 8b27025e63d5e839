import path from 'node:path';
import { LensError } from '../errors.ts';
import type { Picture } from '../image/picture.ts';
import { embeddedModels } from './embedded.ts';
import { familyOf } from './families.ts';
import type { Family } from './families.ts';
import { GRAPHS, modelFolder, readModelFiles } from './files.ts';
import type { GraphName, ModelFiles } from './files.ts';
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
import { ScoreSessions } from './score-sessions.ts';
import { float32, floats, int64, Session } from './session.ts';
import { TextTokenizer } from './tokenizer.ts';
import type { ViewGeometry } from './views.ts';

const DEFAULT_MAX_NEW_TOKENS = 64;
/** Where neither config.json nor tokenizer_config.json gives a length. */
const DEFAULT_CONTEXT = 2048;
/**
 * Texts differ in length: score graphs are made for multiples of this many tokens. What is too much stands at the end, where a
 * causal decoder does not see it.
 */
const TEXT_STEP = 16;

/**
 * Loads a model: its files are read and checked, and its graphs are opened in ONNX Runtime.
 * @param model 'pocket' or another embedded model, or a folder in the Hugging Face ONNX layout
 * @throws LensError for whatever is missing or broken, with the file's name
 */
export async function openModel(model: string): Promise<LoadedModel> {
  const files = await readModelFiles(modelFolder(model));
  const family = familyOf(files.config);
  const views = family.views(files.config, files.preprocessor);
  const tokenizer = new TextTokenizer(files);
  const { text_config: language } = files.config;
  const contextLength = language?.max_position_embeddings ?? files.tokenizerConfig.model_max_length ?? DEFAULT_CONTEXT;
  const imageTokens = views.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const prompter = new Prompter(files, family, tokenizer, { contextLength, imageTokens });
  const opened = await Promise.all(GRAPHS.map((graph) => Session.open(files.graphs[graph])));
  const sessions = Object.fromEntries(GRAPHS.map((graph, i) => [graph, opened[i]!])) as Record<GraphName, Session>;
  const vocabularySize =
    language?.vocab_size ?? Number(sessions.decoder_model_merged.outputs.get('logits')?.shape.at(-1));
  const info: ModelInfo = {
    id: embeddedModels().includes(model) ? model : path.basename(files.folder),
    type: files.config.model_type,
    folder: files.folder,
    contextLength,
    vocabularySize,
    views: views.map(({ name, height, width, rows, cols }) => ({ name, height, width, rows, cols })),
  };
  return new OnnxModel(info, files, family, views, tokenizer, prompter, sessions);
}

class OnnxModel implements LoadedModel {
  readonly info: ModelInfo;
  readonly #files: ModelFiles;
  readonly #family: Family;
  readonly #views: readonly ViewGeometry[];
  readonly #tokenizer: TextTokenizer;
  readonly #prompter: Prompter;
  readonly #sessions: Readonly<Record<GraphName, Session>>;
  readonly #endTokens: ReadonlySet<number>;
  readonly #scores: ScoreSessions;

  constructor(
    info: ModelInfo,
    files: ModelFiles,
    family: Family,
    views: readonly ViewGeometry[],
    tokenizer: TextTokenizer,
    prompter: Prompter,
    sessions: Readonly<Record<GraphName, Session>>,
  ) {
    this.info = info;
    this.#files = files;
    this.#family = family;
    this.#views = views;
    this.#tokenizer = tokenizer;
    this.#prompter = prompter;
    this.#sessions = sessions;
    this.#scores = new ScoreSessions({
      vision: files.graphs.vision_encoder,
      decoder: files.graphs.decoder_model_merged,
    });
    const { generation, config } = files;
    const end = generation.eos_token_id ?? config.eos_token_id ?? config.text_config?.eos_token_id ?? [];
    this.#endTokens = new Set([end].flat());
  }

  async answer(picture: Picture, question: string, options: AnswerOptions = {}): Promise<GeneratedAnswer> {
    const { maxNewTokens = DEFAULT_MAX_NEW_TOKENS, signal, onToken } = options;
    const prompt = this.#prompter.prompt(question);
    const features = await this.#features(picture);
    const data = joined([await this.#embed(prompt.before), ...features, await this.#embed(prompt.after)]);
    const { ids, logp, stopped } = await generate(
      this.#sessions.decoder_model_merged,
      { data, length: prompt.before.length + this.#imageTokens() + prompt.after.length },
      (id) => this.#embed([id]),
      {
        endTokens: this.#endTokens,
        maxNewTokens: Math.min(maxNewTokens, this.#prompter.room(prompt)),
        firstPosition: this.#family.firstPosition,
        signal,
        onToken,
      },
    );
    return { ...this.#tokenizer.spans(ids), logp, stopped };
  }

  async scorer(
    picture: Picture,
    question: string,
    answer: string | readonly number[],
    { seed = 0, signal }: ScorerOptions = {},
  ): Promise<AnswerScorer> {
    const prompt = this.#prompter.prompt(question);
    const ids = typeof answer === 'string' ? this.#prompter.answer(answer, question) : answer;
    if (ids.length === 0)
      throw new LensError('the answer has no tokens', 'There is nothing to explain in an empty answer');
    this.#prompter.checkRoom(prompt, ids.length);
    // The last token is predicted, and nothing is predicted from it.
    const after = [...prompt.after, ...ids.slice(0, -1)];
    const most = this.info.contextLength - prompt.before.length - this.#imageTokens();
    const before = await this.#embed(prompt.before);
    const embedded = await this.#embed(after);
    const width = embedded.length / after.length;
    return new OnnxScorer({
      sessions: this.#scores,
      picture,
      views: this.#views,
      answer: this.#tokenizer.spans(ids),
      before,
      after: repeatLast(embedded, width, Math.min(most, Math.ceil(after.length / TEXT_STEP) * TEXT_STEP)),
      width,
      firstPrediction: prompt.before.length + this.#imageTokens() + prompt.after.length - 1,
      firstPosition: this.#family.firstPosition,
      seed,
      signal,
      encode: (shown) => this.#features(shown),
    });
  }

  tokens(answer: string): TokenisedText {
    return this.#tokenizer.spans(this.#prompter.answer(answer));
  }

  provenance(): Promise<ModelProvenance> {
    return modelProvenance(this.#files);
  }

  async release(): Promise<void> {
    this.#scores.release();
    await Promise.all(Object.values(this.#sessions).map((session) => session.release()));
  }

  #imageTokens(): number {
    return this.#views.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  }

  /** Projected features of each view, [rows · cols, width]. */
  async #features(picture: Picture): Promise<Float32Array[]> {
    const session = this.#sessions.vision_encoder;
    const parts: Float32Array[] = [];
    for (const view of this.#views) {
      const pixels = float32(view.render(picture), [1, 3, view.height, view.width]);
      const results = await session.run({ [view.input]: pixels });
      const found = results.image_features?.dims.at(-2);
      if (found !== view.rows * view.cols) {
        throw new LensError(
          `${path.basename(this.#files.graphs.vision_encoder)} gives ${found ?? 'no'} image features ` +
            `where config.json says ${view.rows}×${view.cols}`,
          'The files must be of the same model',
        );
      }
      parts.push(floats(results, 'image_features'));
    }
    return parts;
  }

  /** Embeddings of ids: [ids, width]. */
  async #embed(ids: readonly number[]): Promise<Float32Array> {
    if (ids.length === 0) return new Float32Array(0);
    const results = await this.#sessions.embed_tokens.run({ input_ids: int64(ids, [1, ids.length]) });
    return floats(results, 'inputs_embeds');
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Rows up to `count`, the last one repeated: real embeddings, since zeros may have no norm to divide by. */
function repeatLast(rows: Float32Array, width: number, count: number): Float32Array {
  const padded = new Float32Array(count * width);
  padded.set(rows);
  const last = rows.subarray(rows.length - width);
  for (let at = rows.length; at < padded.length; at += width) padded.set(last, at);
  return padded;
}
