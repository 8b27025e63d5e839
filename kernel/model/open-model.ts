import path from 'node:path';
import { LensError } from '../errors.ts';
import type { DtypeChoice } from '../hub/dtype.ts';
import { idOfSnapshot } from '../hub/repository.ts';
import type { Picture } from '../image/picture.ts';
import { embeddedModels } from './embedded.ts';
import { cacheSizes } from './empty-cache.ts';
import { familyOf } from './families.ts';
import type { Family } from './family.ts';
import { DECODER, EMBED, modelFolder, readModelFiles } from './files.ts';
import type { ModelFiles } from './files.ts';
import { generate } from './generate.ts';
import { lastLogitsOnly } from './last-logits.ts';
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
import { constantValues, producers, readGraph } from '../onnx/index.ts';
import { Prompter } from './prompt.ts';
import { modelProvenance } from './provenance.ts';
import { parseReference, referenceText } from './reference.ts';
import { OnnxScorer } from './scorer.ts';
import { ScoreSessions } from './score-sessions.ts';
import type { Words } from './internals.ts';
import { filledUp, segmentsOf, spliced } from './segments.ts';
import { continued, counted, tokenValues } from './sequence.ts';
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
/** The picture whose views `ModelInfo` lists. */
const TYPICAL: PictureSize = { width: 512, height: 512 };

/**
 * Loads a model: its files are read and checked, and its graphs are opened in ONNX Runtime.
 * @param model 'pocket' or another embedded model, or a folder in the Hugging Face ONNX layout; data types may follow, as in 'folder#q4'
 * @throws LensError for whatever is missing or broken, with the file's name
 */
export async function openModel(model: string): Promise<LoadedModel> {
  return new OnnxModel(await openParts(model));
}

/** What `openModel` makes a model of. */
export async function openParts(model: string): Promise<ModelParts> {
  const { model: name, dtype } = parseReference(model);
  const files = await readModelFiles(modelFolder(name), dtype);
  const { config } = files;
  const family = familyOf(config);
  const tokenizer = new TextTokenizer(files);
  const image = imageToken(files, family, tokenizer);
  const stems = Object.keys(files.graphs);
  const opened = await Promise.all(
    stems.map((graph) =>
      Session.openFile(files.graphs[graph]!, graph === DECODER ? (decoder) => lastLogitsOnly(decoder) : undefined),
    ),
  );
  const sessions = Object.fromEntries(stems.map((graph, i) => [graph, opened[i]!]));
  try {
    const site = {
      files,
      imageToken: image.token,
      tokenOf: (id: number) => tokenizer.tokenOf(id),
      inputs: (graph: string) => sessions[graph]!.inputs,
      constant: (graph: string, output: string) => constantOutput(files.graphs[graph]!, output),
    };
    const plan = family.vision(site);
    const contextLength = contextOf(files);
    const mark = { id: image.id, text: family.pictureText?.(site) ?? image.token };
    const prompter = new Prompter(files, tokenizer, mark, contextLength);
    const typical = plan(TYPICAL);
    const info: ModelInfo = {
      id: referenceText(
        embeddedModels().includes(name) ? name : (idOfSnapshot(files.folder) ?? path.basename(files.folder)),
        reducedDtypes(files),
      ),
      type: config.model_type,
      folder: files.folder,
      dtypes: files.dtypes,
      contextLength,
      vocabularySize:
        config.text_config?.vocab_size ??
        config.vocab_size ??
        Number(sessions[DECODER]!.outputs.get('logits')?.shape.at(-1)),
      views: typical.stacks.flatMap(({ views, height, width, rows, cols }) =>
        views.map(({ name }) => ({ name, height, width, rows, cols })),
      ),
      ...(typical.notice !== undefined && { notice: typical.notice }),
    };
    return {
      ...{ info, files, family, plan, tokenizer, prompter, sessions },
      vision: new VisionRunner(sessions, files.graphs),
      positions: (prompt, shown) => family.positions?.(prompt, shown, config) ?? counted(prompt.ids.length),
      embed: (ids) => embedded(sessions[EMBED]!, ids),
    };
  } catch (problem) {
    await Promise.all(opened.map((session) => session.release()));
    throw problem;
  }
}

/** Data types other than full precision are part of a model's name: it gives other answers. */
function reducedDtypes({ dtypes }: ModelFiles): DtypeChoice | undefined {
  const [first, ...others] = new Set(Object.values(dtypes));
  if (others.length === 0) return first === 'fp32' ? undefined : first;
  return Object.fromEntries(Object.entries(dtypes).filter(([, dtype]) => dtype !== 'fp32'));
}

/** A weight that a graph gives out, perhaps in another element type. */
function constantOutput(file: string, output: string): Float32Array | undefined {
  const graph = readGraph(file);
  if (!graph.outputs.includes(output)) return undefined;
  const makers = producers(graph);
  let name = output;
  for (let node = makers.get(name); node !== undefined; node = makers.get(name)) {
    if (node.op !== 'Identity' && node.op !== 'Cast') return undefined;
    name = node.inputs[0]!;
  }
  const constant = graph.constants.get(name);
  return constant === undefined ? undefined : Float32Array.from(constantValues(constant));
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

/** A model's files, read, and its graphs, opened. */
export interface ModelParts {
  readonly info: ModelInfo;
  readonly files: ModelFiles;
  readonly family: Family;
  readonly plan: (picture: PictureSize) => VisionPlan;
  readonly tokenizer: TextTokenizer;
  readonly prompter: Prompter;
  readonly sessions: Readonly<Record<string, Session>>;
  readonly vision: VisionRunner;
  /** Position ids of a prompt. */
  readonly positions: (prompt: Prompt, plan: VisionPlan) => Positions;
  /** Embeddings of ids: [ids, width]. */
  readonly embed: (ids: readonly number[]) => Promise<Float32Array>;
}

async function embedded(session: Session, ids: readonly number[]): Promise<Float32Array> {
  const results = await session.run({ input_ids: int64(ids, [1, ids.length]) });
  return floats(results, 'inputs_embeds');
}

/** The text after the picture, without special tokens. */
function wordsOf({ ids, imagePositions }: Prompt, tokenizer: TextTokenizer): Words {
  const special = new Set(tokenizer.specialTokens());
  const after = (imagePositions.at(-1) ?? -1) + 1;
  const places = ids.flatMap((id, i) => (i >= after && !special.has(tokenizer.tokenOf(id) ?? '') ? [i] : []));
  return { ids: places.map((place) => ids[place]!), places };
}

/** A model in ONNX Runtime. */
export class OnnxModel implements LoadedModel {
  readonly info: ModelInfo;
  readonly #parts: ModelParts;
  readonly #endTokens: ReadonlySet<number>;
  readonly #scores: ScoreSessions;

  constructor(parts: ModelParts) {
    this.info = parts.info;
    this.#parts = parts;
    const { graphs, encoders, generation, config } = parts.files;
    this.#scores = new ScoreSessions(
      Object.fromEntries([...encoders, DECODER].map((graph) => [graph, graphs[graph]!])),
    );
    const end = generation.eos_token_id ?? config.eos_token_id ?? config.text_config?.eos_token_id ?? [];
    this.#endTokens = new Set([end].flat());
  }

  async answer(picture: Picture, question: string, options: AnswerOptions = {}): Promise<GeneratedAnswer> {
    const { maxNewTokens = DEFAULT_MAX_NEW_TOKENS, signal, onToken } = options;
    const { prompter, family, sessions, tokenizer, embed } = this.#parts;
    const plan = this.#parts.plan(picture);
    const prompt = prompter.prompt(question, plan);
    const features = await this.#parts.vision.features(plan, picture);
    const embeddings = spliced(await segmentsOf(prompt, [], embed), features);
    const { ids, logp, stopped } = await generate(
      sessions[DECODER]!,
      { data: embeddings, length: prompt.ids.length },
      (id) => embed([id]),
      {
        endTokens: this.#endTokens,
        maxNewTokens: Math.min(maxNewTokens, prompter.room(prompt)),
        positions: this.#parts.positions(prompt, plan),
        tokenInputs: Object.fromEntries(
          Object.entries(family.tokenInputs ?? {}).map(([name, value]) => [
            name,
            { prompt: tokenValues(value, prompt, 0), answer: value({ image: false, prompt: false }) },
          ]),
        ),
        cacheSizes: cacheSizes(this.#parts.files.config),
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
    const segments = filledUp(await segmentsOf(prompt, ids.slice(0, -1), this.#parts.embed), room);
    const filled = segments.reduce((sum, { length }) => sum + length, 0) - prompt.ids.length;
    return new OnnxScorer({
      sessions: this.#scores,
      picture,
      plan,
      answer: tokenizer.spans(ids),
      segments,
      firstPrediction: prompt.ids.length - 1,
      promptSeesItself: family.promptSeesItself,
      cacheSizes: cacheSizes(this.#parts.files.config),
      positions: continued(this.#parts.positions(prompt, plan), filled),
      tokenInputs: Object.fromEntries(
        Object.entries(family.tokenInputs ?? {}).map(([name, value]) => [name, tokenValues(value, prompt, filled)]),
      ),
      seed,
      signal,
      encode: (shown) => this.#parts.vision.features(plan, shown),
      words: wordsOf(prompt, tokenizer),
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
    this.#parts.vision.release();
    await Promise.all(Object.values(this.#parts.sessions).map((session) => session.release()));
  }
}
