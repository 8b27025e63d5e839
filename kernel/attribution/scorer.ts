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
  /** At the whole image, without mask or noise; one entry for each view. */
  featureGradient(weights: Float32Array): Promise<FeatureGradient[]>;
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
}
