import { AbortError } from '../errors.ts';
import type { AttributionContext, Mask } from './scorer.ts';

/** Reports the steps of one stage with an estimate of the time left, from the mean of the steps done. */
export function stage(
  name: string,
  steps: number,
  context: AttributionContext,
): (step: number, loss?: number, saliency?: () => Mask) => void {
  const began = performance.now();
  return (step, loss, saliency) => {
    const remainingMs = step === 0 ? undefined : ((performance.now() - began) / step) * (steps - step);
    const news = {
      stage: name,
      step,
      steps,
      ...(loss !== undefined && { loss }),
      ...(remainingMs !== undefined && { remainingMs }),
    };
    context.onProgress?.(news, saliency);
  };
}

/** Throws `AbortError` once the caller has asked to stop; to be called between runs. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError();
}
