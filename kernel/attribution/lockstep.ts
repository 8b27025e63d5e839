import type { Mask, Scorer } from './scorer.ts';

interface Call {
  /** Calls of the same kind and shape of mask go together. */
  readonly key: string;
  readonly requests: readonly unknown[];
  readonly run: (requests: readonly unknown[]) => Promise<readonly unknown[]>;
  readonly resolve: (answers: readonly unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs several attributions at once so that what they ask of the scorer at the same step goes as one call, which the scorer
 * runs as a batch. Each work is written as if it had the scorer to itself. Calls are passed on when every unfinished work is
 * waiting for one, so a work that needs fewer steps than the others holds nobody up.
 *
 * @param works what to run; each may have at most one call to its scorer under way at a time
 * @returns their results in order; rejects with the first failure after all have ended
 */
export async function inLockstep<Result>(
  scorer: Scorer,
  works: readonly ((scorer: Scorer) => Promise<Result>)[],
): Promise<Result[]> {
  let unfinished = works.length;
  let pending: Call[] = [];

  async function passOn(): Promise<void> {
    if (pending.length === 0 || pending.length < unfinished) return;
    const calls = pending;
    pending = [];
    for (const key of new Set(calls.map((call) => call.key))) await together(calls.filter((call) => call.key === key));
  }

  function gathered<Request, Answer>(
    kind: string,
    run: (requests: readonly Request[]) => Promise<readonly Answer[]>,
    requests: readonly Request[],
    mask?: Mask,
  ): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      pending.push({
        key: `${kind} ${mask?.rows}×${mask?.cols}`,
        requests,
        run: run as Call['run'],
        resolve: resolve as Call['resolve'],
        reject,
      });
      void passOn();
    });
  }

  const together: (calls: readonly Call[]) => Promise<void> = async (calls) => {
    try {
      const answers = await calls[0]!.run(calls.flatMap((call) => call.requests));
      let next = 0;
      for (const { requests, resolve } of calls) resolve(answers.slice(next, (next += requests.length)));
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  };

  let last: Promise<unknown> = Promise.resolve();
  /** Large answers that cannot share a run: one after another, so that each can be used up before the next is made. */
  function alone<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const answer = last.then(call);
    last = answer.catch(() => undefined);
    return answer;
  }

  const { internals } = scorer;
  const gathering: Scorer = {
    tokenCount: scorer.tokenCount,
    image: scorer.image,
    logp: (requests) => gathered('logp', (all) => scorer.logp(all), requests, requests[0]?.mask),
    gradient: (requests) => gathered('gradient', (all) => scorer.gradient(all), requests, requests[0]?.mask),
    featureGradient: async (weights) => {
      const each = (all: readonly Float32Array[]) => Promise.all(all.map((one) => scorer.featureGradient(one)));
      return (await gathered('features', each, [weights]))[0]!;
    },
    internals: {
      visionGradient: (weights, layer) => alone(() => internals.visionGradient(weights, layer)),
      answerAttention: () => alone(() => internals.answerAttention()),
      attention: (weights) => alone(() => internals.attention(weights)),
      tokenLogits: () => alone(() => internals.tokenLogits()),
    },
    get evaluations() {
      return scorer.evaluations;
    },
  };

  const ended = await Promise.allSettled(
    works.map((work) =>
      work(gathering).finally(() => {
        unfinished--;
        void passOn();
      }),
    ),
  );
  return ended.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}
