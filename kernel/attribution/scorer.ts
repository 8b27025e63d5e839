/**
 * What attribution methods and metrics know of a model: the log-likelihood of a fixed answer as a function of a mask over
 * the image, and its gradient. They know neither model family nor runtime.
 */

/** A mask over the whole image: row-major, row 0 at the top, 1 keeps the image and 0 replaces it by the baseline. */
export interface Mask {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array;
}

/** What replaces the image where the mask is 0. */
export type BaselineName = 'blur' | 'black' | 'mean' | 'noise';

/** Gaussian noise added to the blended views, σ in normalised pixel units. The same seed gives the same noise. */
export interface Noise {
  readonly sigma: number;
  readonly seed: number;
}

export interface ScoreRequest {
  readonly mask: Mask;
  readonly baseline?: BaselineName;
  readonly noise?: Noise;
  /** Of a model with several encoders: those through which the mask is seen; the others see the whole image. Default: all. */
  readonly encoders?: readonly string[];
}

export interface GradientRequest extends ScoreRequest {
  /** w_t of the score Σ_t w_t · log p_t, one for each answer token. */
  readonly weights: Float32Array;
  /**
   * Between log p (0, the default) and log-odds (1, excluded): the score is `Σ_t w_t · (log p_t − log(1 − odds · p_t))`. Of an answer that is
   * sure with the image log p hardly changes until much of it is gone; its odds do at once.
   */
  readonly odds?: number;
}

/**
 * Nearly log-odds: log-odds themselves have no slope that 32 bits can hold where p is 1. This is what the score of a class before the softmax is to a
 * probability after it, and differs from the logit in that the other words' logits count too.
 */
export const NEARLY_LOG_ODDS = 0.995;

export interface ScoreGradient {
  /** log p of each answer token (natural logarithm). */
  readonly logp: Float32Array;
  /** ∂score/∂mask, of the mask's own shape. */
  readonly gradient: Mask;
}

/** Projected image features of one view and the score's gradient with respect to them. */
export interface FeatureGradient {
  /** Token grid of the view, row-major. */
  readonly rows: number;
  readonly cols: number;
  readonly channels: number;
  /** rows · cols · channels, channel fastest. */
  readonly features: Float32Array;
  readonly gradient: Float32Array;
  /** The part of the image that this view shows: left, top, width, height as shares of the image. */
  readonly window: readonly [left: number, top: number, width: number, height: number];
}

/** Which tokens lie where: a grid over a part of the image. */
export interface TokenGrid {
  readonly rows: number;
  readonly cols: number;
  /** For each cell, row-major, which token it is. */
  readonly cells: readonly number[];
  /** The part of the image that the grid covers: left, top, width, height as shares of the image. */
  readonly window: readonly [left: number, top: number, width: number, height: number];
}

/** Attention of one layer, the mean of its heads: row-major, size × size; what each token (row) takes of each (column). */
export interface AttentionMatrix {
  readonly size: number;
  readonly data: Float32Array;
}

/** How attention leads from the answer back to the picture, at the whole image. */
export interface AttentionFlow {
  /** Of the decoder, first layer to last, over the whole sequence. */
  readonly decoder: readonly AttentionMatrix[];
  /** Where in the sequence each answer token is predicted. */
  readonly predictions: readonly number[];
  /** Where in the sequence each image token stands. */
  readonly image: readonly number[];
  /** Of the graph that makes one image of what several encoders saw, over the image tokens; no layers where there is none or no attention in it. */
  readonly fusion: readonly AttentionMatrix[];
  /** Where the image tokens lie, and which views (of `views`) each grid's tokens are made of. */
  readonly grids: readonly (TokenGrid & { readonly views: readonly number[] })[];
  /** Of each view its encoder's layers, first to last, and where the encoder's tokens lie; no layers where an encoder has no attention. */
  readonly views: readonly { readonly layers: readonly AttentionMatrix[]; readonly grid: TokenGrid }[];
}

/** What the answer attends to of the image, at the whole image. */
export interface AnswerAttention {
  /** Of each decoder layer, first to last, the mean of its heads: answer tokens × image tokens, row-major. */
  readonly layers: readonly Float32Array[];
  readonly grids: readonly TokenGrid[];
}

/** What the output projection makes of the last hidden states of image and text, at the whole image. */
export interface TokenLogits {
  /** Vocabulary ids of the text after the image: words of the prompt, and then the answer. */
  readonly ids: readonly number[];
  /** How many of `ids` are the prompt's. */
  readonly prompt: number;
  /** Number of image tokens. */
  readonly image: number;
  /** Row-major, (image + text tokens) × ids: logit of each id at each image token, and then at each text token but the last. */
  readonly logits: Float32Array;
  readonly grids: readonly TokenGrid[];
}

/** What goes on inside the model at the whole image, without mask or noise. Each call is one evaluation. */
export interface Internals {
  /**
   * Features of a block of the vision encoder, one entry for each view.
   * @param layer index of the block, −1 for the last
   * @param odds see `GradientRequest.odds`
   */
  visionGradient(weights: Float32Array, layer: number, odds?: number): Promise<FeatureGradient[]>;
  answerAttention(): Promise<AnswerAttention>;
  /**
   * @param weights with these, the matrices hold the mean over the heads of (A ⊙ ∂score/∂A)⁺ in place of A
   * @param odds see `GradientRequest.odds`
   */
  attention(weights?: Float32Array, odds?: number): Promise<AttentionFlow>;
  tokenLogits(): Promise<TokenLogits>;
}

/** A picture in normalised pixel units as an encoder sees it: channels × height × width, planar. */
export interface NormalisedImage {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * Scores one answer to one question about one image. Requests of one call run as batches, which is faster than one by one;
 * all masks of one call have the same shape.
 */
export interface Scorer {
  /** Number of answer tokens. */
  readonly tokenCount: number;
  /** The global view of the image, for terms that follow its edges. */
  readonly image: NormalisedImage;
  /** log p of each answer token, one array for each request. */
  logp(requests: readonly ScoreRequest[]): Promise<Float32Array[]>;
  gradient(requests: readonly GradientRequest[]): Promise<ScoreGradient[]>;
  /**
   * At the whole image, without mask or noise; one entry for each view.
   * @param odds see `GradientRequest.odds`
   */
  featureGradient(weights: Float32Array, odds?: number): Promise<FeatureGradient[]>;
  readonly internals: Internals;
  /** How many single-image evaluations have run so far. */
  readonly evaluations: { forward: number; gradient: number };
}

/** A step of long work: `step` of `steps` done. */
export interface Progress {
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  /** What is counted where it is not steps. */
  readonly unit?: 'bytes';
  /** The part of the whole that is being done, for instance a file. */
  readonly part?: string;
  /** Units per second, where the caller's clock does not tell. */
  readonly rate?: number;
  /** Value of the objective where there is one. */
  readonly loss?: number;
  /** Estimate, in milliseconds. */
  readonly remainingMs?: number;
  /** What there is of the result so far: a PNG, base64. Comes now and then. */
  readonly picture?: string;
}

/** What every method is given beside its own options. */
export interface AttributionContext {
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** @param saliency makes the map as it is now, for who wants to show it */
  readonly onProgress?: (progress: Progress, saliency?: () => Mask) => void;
  /** Called by methods that check their map: whether anything of it was confirmed. */
  readonly onChecked?: (confirmed: boolean) => void;
}
