import { noiseSeed } from '../../kernel/attribution/noise-seed.ts';
import type {
  AttentionMatrix,
  FeatureGradient,
  GradientRequest,
  Internals,
  NormalisedImage,
  ScoreRequest,
  Scorer,
  TokenGrid,
} from '../../kernel/attribution/scorer.ts';

/** A rectangle of the image, as shares of it. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const inside = ({ left, top, right, bottom }: Region, y: number, x: number): boolean =>
  x >= left && x < right && y >= top && y < bottom;

/** The cells whose centres lie in a region. */
export function cellsIn(region: Region, rows: number, cols: number): number[] {
  return Array.from({ length: rows * cols }, (_, cell) => cell).filter((cell) =>
    inside(region, (Math.floor(cell / cols) + 0.5) / rows, ((cell % cols) + 0.5) / cols),
  );
}

/** A picture that is dark but for its regions, so that it has edges where they end. */
function pictured(regions: readonly Region[], size: number): NormalisedImage {
  const data = new Float32Array(3 * size * size);
  for (let i = 0; i < data.length; i++) {
    const [y, x] = [Math.floor((i % size ** 2) / size), i % size];
    data[i] = regions.some((region) => inside(region, (y + 0.5) / size, (x + 0.5) / size)) ? 1 : -1;
  }
  return { channels: 3, height: size, width: size, data };
}

/** The image tokens of the toy: one view of 12 × 12. */
const SIDE = 12;
const IMAGE = Array.from({ length: SIDE * SIDE }, (_, i) => i);
const GRID: TokenGrid = { rows: SIDE, cols: SIDE, cells: IMAGE, window: [0, 0, 1, 1] };

/**
 * A model of which everything is known: token t looks at one region and nowhere else. With v the region's mean visibility
 * (the mask's mean over its cells), `log p_t = −softplus(−steepness·(v − ½))`; the gradient is exact. A token whose region is
 * null does not look at all. Noise shifts v by a seeded amount.
 */
export class ToyScorer implements Scorer {
  readonly image: NormalisedImage;
  readonly evaluations = { forward: 0, gradient: 0 };
  /** Number of requests of each call of `gradient`, in order. */
  readonly batches: number[] = [];
  readonly regions: readonly (Region | null)[];
  readonly steepness: number;
  /** Tokens that blur leaves as they are, as it leaves a colour. */
  readonly throughBlur: ReadonlySet<number>;

  constructor(regions: readonly (Region | null)[], { steepness = 12, throughBlur = [] as readonly number[] } = {}) {
    this.regions = regions;
    this.steepness = steepness;
    this.throughBlur = new Set(throughBlur);
    this.image = pictured(
      regions.filter((region) => region !== null),
      48,
    );
  }

  get tokenCount(): number {
    return this.regions.length;
  }

  async logp(requests: readonly ScoreRequest[]): Promise<Float32Array[]> {
    this.evaluations.forward += requests.length;
    return requests.map((request) => Float32Array.from(this.tokens(request), ({ logp }) => logp));
  }

  async gradient(requests: readonly GradientRequest[]) {
    this.evaluations.gradient += requests.length;
    this.batches.push(requests.length);
    return requests.map((request) => {
      const { mask, weights } = request;
      const gradient = new Float32Array(mask.data.length);
      const tokens = this.tokens(request);
      tokens.forEach(({ slope, cells }, t) => {
        for (const cell of cells) gradient[cell]! += (weights[t]! * slope) / cells.length;
      });
      return { logp: Float32Array.from(tokens, ({ logp }) => logp), gradient: { ...mask, data: gradient } };
    });
  }

  /** One channel for each token, on where its region is; one view of 12 × 12 tokens. */
  async featureGradient(weights: Float32Array): Promise<FeatureGradient[]> {
    const [rows, cols, channels] = [SIDE, SIDE, this.tokenCount];
    const features = new Float32Array(rows * cols * channels);
    this.regions.forEach((region, t) => {
      if (region) for (const cell of cellsIn(region, rows, cols)) features[cell * channels + t] = 1;
    });
    const gradient = features.map((_, i) => weights[i % channels]!);
    this.evaluations.gradient++;
    return [{ rows, cols, channels, features, gradient, window: [0, 0, 1, 1] }];
  }

  /** One layer of attention, in which each answer token attends to its region and to itself, and an encoder in which each patch attends to itself. */
  readonly internals: Internals = {
    visionGradient: (weights) => this.featureGradient(weights),
    answerAttention: async () => {
      this.evaluations.forward++;
      const rows = Float32Array.from({ length: this.tokenCount * IMAGE.length }, (_, i) =>
        this.attended(Math.floor(i / IMAGE.length), i % IMAGE.length),
      );
      return { layers: [rows], grids: [GRID] };
    },
    attention: async (weights) => {
      this.evaluations[weights ? 'gradient' : 'forward']++;
      return {
        decoder: [this.decoderLayer(weights)],
        predictions: this.regions.map((_, t) => IMAGE.length + t),
        image: IMAGE,
        fusion: [],
        grids: [{ ...GRID, views: [0] }],
        views: [{ layers: [matrixOf(IMAGE.length, (i, j) => Number(i === j))], grid: GRID }],
      };
    },
    // The prompt is one word, of which each image token speaks a little; the answer's words are spoken of in their regions.
    tokenLogits: async () => {
      this.evaluations.forward++;
      const ids = [1000, ...this.regions.keys()];
      const places = IMAGE.length + this.tokenCount;
      const logit = (place: number, id: number) => {
        if (id === 0 || place >= IMAGE.length) return 1;
        return this.attended(id - 1, place) > 0 ? 5 : -1;
      };
      const logits = Float32Array.from({ length: places * ids.length }, (_, i) =>
        logit(Math.floor(i / ids.length), i % ids.length),
      );
      return { ids, prompt: 1, image: IMAGE.length, logits, grids: [GRID] };
    },
  };

  /** What token t attends to of an image token, 0.9 together. */
  private attended(t: number, cell: number): number {
    const region = this.regions[t];
    if (!region) return 0;
    const cells = cellsIn(region, SIDE, SIDE);
    return cells.includes(cell) ? 0.9 / cells.length : 0;
  }

  private decoderLayer(weights?: Float32Array): AttentionMatrix {
    return matrixOf(IMAGE.length + this.tokenCount, (i, j) => {
      const t = i - IMAGE.length;
      const scale = weights === undefined ? 1 : t < 0 ? 0 : weights[t]!;
      if (t < 0 || j >= IMAGE.length) return i === j ? scale * (t < 0 ? 1 : 0.1) : 0;
      return scale * this.attended(t, j);
    });
  }

  private tokens({ mask, noise, baseline = 'blur' }: ScoreRequest) {
    const shift = noise ? noise.sigma * (noiseSeed(noise.seed) / 2 ** 32 - 0.5) * 0.1 : 0;
    return this.regions.map((region, t) => {
      if (!region || (baseline === 'blur' && this.throughBlur.has(t))) return { logp: -0.01, slope: 0, cells: [] };
      const cells = cellsIn(region, mask.rows, mask.cols);
      const visible = cells.reduce((sum, cell) => sum + mask.data[cell]!, 0) / cells.length + shift;
      const z = this.steepness * (visible - 0.5);
      return { logp: -Math.log1p(Math.exp(-z)), slope: this.steepness / (1 + Math.exp(z)), cells };
    });
  }
}

function matrixOf(size: number, at: (row: number, col: number) => number): AttentionMatrix {
  return { size, data: Float32Array.from({ length: size * size }, (_, i) => at(Math.floor(i / size), i % size)) };
}
