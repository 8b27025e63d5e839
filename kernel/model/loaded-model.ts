import type { Scorer } from '../attribution/scorer.ts';
import type { Picture } from '../image/picture.ts';

/** One token of an answer. */
export interface TokenSpan {
  readonly id: number;
  /** `answer.slice(start, end)`; empty for a token that holds only a part of a character which a later token ends. */
  readonly text: string;
  /** Character span [start, end) in the answer's text, UTF-16 code units. Spans ascend and do not overlap. */
  readonly start: number;
  readonly end: number;
}

/** A text with its tokens; no special token is among them. */
export interface TokenisedText {
  readonly text: string;
  readonly tokens: readonly TokenSpan[];
}

/** What a model said, greedily. */
export interface GeneratedAnswer extends TokenisedText {
  /** log p of each token (natural logarithm), as generation saw it. */
  readonly logp: Float32Array;
  /** Why it ended: the model's end token, or `maxNewTokens` (or the context) reached. */
  readonly stopped: 'end' | 'length';
}

export interface AnswerOptions {
  /** Default 64. */
  readonly maxNewTokens?: number;
  /** Checked between tokens; rejects with `AbortError`. */
  readonly signal?: AbortSignal;
  /** After each token: how many there are. */
  readonly onToken?: (count: number) => void;
}

export interface ScorerOptions {
  /** Seeds the noise baseline. Default 0. */
  readonly seed?: number;
  /** Checked between batches; the running call rejects with `AbortError`. */
  readonly signal?: AbortSignal;
}

/** A scorer of one answer, with the answer as it was tokenised. */
export interface AnswerScorer extends Scorer {
  readonly answer: TokenisedText;
  /** The encoders of a model that has several, with what each sees of the picture; empty where it has one. */
  readonly encoders: readonly EncoderView[];
}

/** One of several encoders, and the size of its views in px. */
export interface EncoderView {
  readonly name: string;
  readonly height: number;
  readonly width: number;
}

/** Facts about a model for people and for provenance. */
export interface ModelInfo {
  /** As the user named it: 'pocket', a Hub id, or a folder. */
  readonly id: string;
  /** `model_type` of config.json. */
  readonly type: string;
  /** The folder that holds config.json. */
  readonly folder: string;
  /** The data type of each graph that was loaded, such as 'fp16' or 'q4', by the stems of the files. */
  readonly dtypes: Readonly<Record<string, string>>;
  /** Greatest number of tokens of prompt, image and answer together. */
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** The views of a square image of 512 px, in the order in which the model sees them. */
  readonly views: readonly ViewInfo[];
  /** What the model is not shown of pictures though its family could be, and why. */
  readonly notice?: string;
}

export interface ViewInfo {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  /** Token grid of the view as the encoder gives it. */
  readonly rows: number;
  readonly cols: number;
}

export interface ModelProvenance {
  /** This package, ONNX Runtime and Node. */
  readonly versions: Readonly<Record<string, string>>;
  /** SHA-256 of each model file, by its path within the model's folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** A model in memory. Made by `openModel`; lives in the engine process. */
export interface LoadedModel {
  readonly info: ModelInfo;
  /** Greedy answer to a question about a picture. Throws `LensError` for an empty or too long question. */
  answer(picture: Picture, question: string, options?: AnswerOptions): Promise<GeneratedAnswer>;
  /**
   * Teacher-forced scoring of an answer.
   * @param answer its text, or its token ids (those of a generated answer are scored exactly as generated)
   */
  scorer(
    picture: Picture,
    question: string,
    answer: string | readonly number[],
    options?: ScorerOptions,
  ): Promise<AnswerScorer>;
  /** The tokens of an answer's text as this model would write it. */
  tokens(answer: string): TokenisedText;
  provenance(): Promise<ModelProvenance>;
  /** Frees the runtime's sessions; the model must not be used afterwards. */
  release(): Promise<void>;
}

/** The models that the engine holds; a model stays loaded until it is among the least recently used. */
export interface ModelCache {
  /** @param model 'pocket', a Hub id, or a folder; throws `LensError` naming what exists where there is no such model */
  open(model: string): Promise<LoadedModel>;
}
