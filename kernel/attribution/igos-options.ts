import { z } from 'zod';
import type { RegulariserOptions } from './regulariser.ts';

/** What iGOS+ and iGOS++ have in common. */
export interface IgosOptions extends RegulariserOptions {
  /** Rows and columns of the mask. */
  readonly maskSize: number;
  readonly iterations: number;
  /** K: steps of each integrated score. */
  readonly integrationSteps: number;
  readonly learningRate: number;
  /** Nesterov's m: momentum is i/(i + m) at iteration i. For normalised steps, the share β of the last velocity. */
  readonly momentum: number;
  /** σ of the Gaussian noise on the blended image, in normalised pixel units. */
  readonly noise: number;
}

const weight = z.number().min(0).max(1e6);

export const IGOS_SCHEMA = z.strictObject({
  maskSize: z.int().min(2).max(128),
  iterations: z.int().min(1).max(1000),
  integrationSteps: z.int().min(1).max(1000),
  learningRate: z.number().positive().max(1e6),
  momentum: z.number().min(0).max(1000),
  l1: weight,
  l2: weight,
  l3: weight,
  gamma: weight,
  noise: z.number().min(0).max(10),
});

/** The settings of the paper's README (its code's own defaults differ from them). */
export const PAPER: Readonly<IgosOptions> = {
  maskSize: 32,
  iterations: 5,
  integrationSteps: 10,
  learningRate: 10,
  momentum: 5,
  l1: 1.0,
  l2: 0.1,
  l3: 10.0,
  gamma: 1.0,
  noise: 0.2,
};
