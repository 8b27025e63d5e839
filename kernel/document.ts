/**
 * The explanation document: what a notebook saves and what the renderer draws.
 *
 * It is plain JSON under one vendored MIME type. Every kind has the same shape, a list of explanations over a list of
 * images, so that a viewer draws panels and need not know how they came about. Old versions stay readable forever:
 * a change that a reader of version 1 would misread takes a new `schemaVersion` and a new MIME type.
 */

export const SCHEMA_VERSION = 1;

export const MIME_TYPE = 'application/vnd.lvlm-lens.v1+json';

export interface LensDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION;
  /** 'selection' has tokens and no maps; 'comparison' has several explanations and usually an agreement. */
  readonly kind: 'explanation' | 'selection' | 'comparison';
  /** Each picture once, at most 1024 px on its longer side. */
  readonly images: readonly DocumentImage[];
  /** One for an explanation or a selection, any number for a comparison. */
  readonly explanations: readonly Explanation[];
  /** Comparison only: which option differed between the explanations. */
  readonly axis?: CompareAxis;
  /** Comparison only: pairwise agreement of the joint maps. */
  readonly agreement?: readonly Agreement[];
}

export type CompareAxis = 'models' | 'methods' | 'images' | 'questions' | 'answers';

export interface DocumentImage {
  readonly mime: 'image/webp' | 'image/jpeg' | 'image/png';
  /** The encoded picture, base64. */
  readonly data: string;
  /** Of the encoded picture, in px. */
  readonly width: number;
  readonly height: number;
  /** Of the picture that was asked about, in px, before it was made smaller for the document. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /** The file's name without its folder, where there was one. */
  readonly name?: string;
}

export interface Explanation {
  /** What tells this explanation from its neighbours in a comparison; the question otherwise. */
  readonly label: string;
  /** Index into `images`. */
  readonly image: number;
  readonly model: ModelReference;
  readonly question: string;
  readonly answer: Answer;
  /** False: no token of the answer depends on the image, and there is no map to draw. */
  readonly dependsOnImage: boolean;
  /** The joint map of all selected tokens first (if any), then one map per token. */
  readonly maps: readonly SaliencyMap[];
  readonly curves: readonly Curve[];
  /** Scalar results by name, for instance deletion, insertion. */
  readonly metrics: readonly Metric[];
  /** The smallest share of the image that holds half of the joint map's heat, 0 … ½. */
  readonly focus?: number;
  /** What each encoder contributed, of a model that has several. */
  readonly encoders?: readonly EncoderContribution[];
  /** Whether the answer is right, where the caller said what is. */
  readonly correctness?: Correctness;
  readonly provenance: Provenance;
}

export interface ModelReference {
  /** As the user named it: 'pocket', a Hub id, or a folder's name. */
  readonly id: string;
  /** `model_type` of config.json. */
  readonly type: string;
  /** What the model is not shown of the picture though its family could be, and why. */
  readonly notice?: string;
}

export interface Answer {
  readonly text: string;
  /** 'generated' by the model, greedily, or 'given' by the caller and only scored. */
  readonly source: 'generated' | 'given';
  readonly tokens: readonly AnswerToken[];
  /** The LLR above which a token counts as visually relevant (α of the paper). */
  readonly threshold: number;
}

export interface AnswerToken {
  readonly text: string;
  /** Character span [start, end) in `Answer.text`, UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  /** Natural logarithm of the token's probability given the image, the question and the tokens before it. */
  readonly logp: number;
  /** The same with the baseline image. */
  readonly logpBaseline: number;
  /** logp − logpBaseline: the log-likelihood ratio of the paper, section 3. */
  readonly llr: number;
  readonly selected: boolean;
  readonly reason: SelectionReason;
}

/** Why a token was selected or was not. 'chosen' and 'not chosen': the caller named the tokens. */
export type SelectionReason = 'visual' | 'below threshold' | 'stop word' | 'punctuation' | 'chosen' | 'not chosen';

/**
 * Saliency over the whole image on a rows × cols grid: high where the image matters. Stored as bytes:
 * `value = offset + scale · byte`, row-major, row 0 at the top. A cell's centre lies at ((col + ½)/cols, (row + ½)/rows)
 * of the image; viewers up-sample bilinearly between centres.
 */
export interface SaliencyMap {
  readonly label: string;
  readonly role: 'joint' | 'token';
  /** Indexes into `Answer.tokens` of the tokens that the map explains. */
  readonly tokens: readonly number[];
  readonly method: string;
  readonly rows: number;
  readonly cols: number;
  /** rows · cols bytes, base64. */
  readonly data: string;
  readonly offset: number;
  readonly scale: number;
  /**
   * Whether the answer was seen to rest on any of the map's hottest places, when these were hidden and shown alone. Absent where the method does
   * not look. A map that is not confirmed may be noise.
   */
  readonly confirmed?: boolean;
}

/** Score against the share of cells removed (deletion) or brought back (insertion), in the map's order of saliency. */
export interface Curve {
  readonly kind: 'deletion' | 'insertion';
  /** What stands in for removed cells. */
  readonly baseline: string;
  /** Share of cells, 0 … 1, ascending. */
  readonly x: readonly number[];
  /** Normalised score (s − s_baseline)/(s_image − s_baseline); s is the mean probability of the selected tokens. */
  readonly y: readonly number[];
  /** Mean of `y` over the steps: lower is better for deletion, higher for insertion. */
  readonly score: number;
}

export interface Metric {
  readonly name: string;
  readonly value: number;
  /** 95 % confidence interval, where there is one. */
  readonly interval?: readonly [number, number];
  /** Whether a higher or a lower value is better, if either. */
  readonly better?: 'higher' | 'lower';
}

/** What one of several encoders gave to the explained tokens: falls of the sum of their log p (natural logarithm). */
export interface EncoderContribution {
  readonly name: string;
  /** Of its views, in px. */
  readonly height: number;
  readonly width: number;
  /** Its Shapley value: what it adds on average over all orders. All together are the fall without any image. */
  readonly contribution: number;
  /** The fall when the image is removed from this encoder's view alone. */
  readonly drop: number;
  /** The same for the joint map's most salient eighth of the image. */
  readonly dropTop: number;
  /** Where this encoder looks: the map of a mask that is seen through it alone. On request only. */
  readonly map?: SaliencyMap;
}

/** An answer held against those that are acceptable. */
export interface Correctness {
  readonly correct: boolean;
  /** Acceptable answers; with choices, letters or texts of the right ones. */
  readonly references: readonly string[];
  /** What there was to choose from: A, B, … */
  readonly choices?: readonly string[];
}

/** Everything needed to make the result again. */
export interface Provenance {
  /** Version of this package, of ONNX Runtime and of Node. */
  readonly versions: Readonly<Record<string, string>>;
  /** SHA-256 of each model file, by its name. */
  readonly files: Readonly<Record<string, string>>;
  readonly imageHash: string;
  readonly method: string;
  /** Every parameter of the method and of the call, defaults included. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly evaluations: { readonly forward: number; readonly gradient: number };
  readonly milliseconds: Readonly<Record<string, number>>;
  /** ISO 8601. */
  readonly created: string;
}

/** How much two explanations' joint maps agree. `a` and `b` index `LensDocument.explanations`. */
export interface Agreement {
  readonly a: number;
  readonly b: number;
  /** Spearman's rank correlation of the maps' cells, −1 … 1. */
  readonly rankCorrelation: number;
  /** Intersection over union of each map's top 20 % of cells, 0 … 1. */
  readonly iouTop20: number;
  /**
   * Earth mover's distance: how far, on average, the one map's heat must be moved to make the other's, in diagonals of the image, 0 … 1.
   * Absent where a map has no heat.
   */
  readonly earthMovers?: number;
}
