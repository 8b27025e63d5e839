import type { Mask } from './scorer.ts';

/** Moves a mask against a gradient; one optimiser serves one mask, as it remembers the steps before. */
export interface Optimiser {
  /** @returns the next mask, each cell within [0, 1] */
  step(mask: Mask, gradient: Float32Array): Mask;
}

const clip = (value: number): number => Math.min(Math.max(value, 0), 1);

/**
 * Nesterov's accelerated gradient as the paper's code takes it, i = 0, 1, …:
 * `ζ_i = M − η·g; M ← clip(ζ_i + i/(i + m)·(ζ_i − ζ_{i−1}), 0, 1)`.
 * @param learningRate η
 * @param momentum m: the greater, the later momentum sets in
 */
export function nesterov(learningRate: number, momentum: number): Optimiser {
  let before: Float32Array | undefined;
  let i = 0;
  return {
    step(mask, gradient) {
      const here = mask.data.map((m, cell) => m - learningRate * gradient[cell]!);
      const last = before ?? here;
      const share = i === 0 ? 0 : i / (i + momentum);
      before = here;
      i++;
      return { ...mask, data: here.map((z, cell) => clip(z + share * (z - last[cell]!))) };
    },
  };
}

/**
 * Steps of a given size whatever the gradient's scale, which differs by orders of magnitude between models and answers:
 * `v_i = β·v_{i−1} + g; M ← clip(M − η·v_i/max|v_i|, 0, 1)`. The cell that matters most moves by η, the others in proportion.
 * @param learningRate η, in units of the mask
 * @param momentum β, in [0, 1)
 */
export function normalised(learningRate: number, momentum: number): Optimiser {
  let velocity: Float32Array | undefined;
  return {
    step(mask, gradient) {
      const last = velocity;
      const here = last ? gradient.map((g, cell) => momentum * last[cell]! + g) : gradient;
      velocity = here;
      const most = here.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      if (most === 0) return mask;
      return { ...mask, data: mask.data.map((m, cell) => clip(m - (learningRate * here[cell]!) / most)) };
    },
  };
}
