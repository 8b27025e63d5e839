import type { Progress, Scorer } from '../../attribution/scorer.ts';

/** What an explanation still has to do after its joint map. */
export interface Plan {
  /** Token maps, each of which costs at most about as much as the joint one. */
  readonly tokenMaps: number;
  /** Single-image evaluations of the curves. */
  readonly curveEvaluations: number;
}

/** A gradient costs about this many forward evaluations (docs/measurements.md). */
export const FORWARDS_PER_GRADIENT = 2.3;

/**
 * Replaces a stage's own estimate of the time left by one for everything that is still to come, from what a step has taken so far.
 * @returns to be called at the begin of each stage; gives what turns the stage's progress into the whole's
 */
export function timeLeft(
  scorer: Scorer,
  plan: Plan,
): (stage: 'joint map' | 'token maps' | 'curves') => (progress: Progress) => Progress {
  let gradientMs = 0;
  return (stage) => {
    const began = performance.now();
    const before = scorer.evaluations.gradient;
    return (progress) => {
      const { step, steps } = progress;
      const elapsed = performance.now() - began;
      const evaluated = scorer.evaluations.gradient - before;
      if (evaluated > 0) gradientMs = elapsed / evaluated;
      const curves = (plan.curveEvaluations * gradientMs) / FORWARDS_PER_GRADIENT;
      const whole = step > 0 ? (elapsed / step) * steps : curves;
      const later = { 'joint map': whole * plan.tokenMaps + curves, 'token maps': curves, curves: 0 }[stage];
      return { ...progress, stage, remainingMs: step === steps && stage === 'curves' ? 0 : whole - elapsed + later };
    };
  };
}
