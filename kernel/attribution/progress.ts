import { AbortError } from '../errors.ts';
import type { AttributionContext } from './scorer.ts';

/** Reports the steps of one stage with an estimate of the time left, from the mean of the steps done. */
export function stage(name: string, steps: number, context: AttributionContext): (step: number, loss?: number) => void {
  const began = performance.now();
  return (step, loss) => {
    const remainingMs = step === 0 ? undefined : ((performance.now() - began) / step) * (steps - step);
    context.onProgress?.({
      stage: name,
      step,
      steps,
      ...(loss !== undefined && { loss }),
      ...(remainingMs !== undefined && { remainingMs }),
    });
  };
}

/** Throws `AbortError` once the caller has asked to stop; to be called between runs. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError();
}
