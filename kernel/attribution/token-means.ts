/** Mean probability of the explained tokens: Σ_t w_t·p_t / Σ_t w_t, with log p of each answer token. */
export const meanProbability = (logp: Float32Array, weights: Float32Array): number =>
  tokenMean(weights, (t) => Math.exp(logp[t]!));

/** Mean log p of the explained tokens, in nats: Σ_t w_t·log p_t / Σ_t w_t. */
export const meanLogLikelihood = (logp: Float32Array, weights: Float32Array): number =>
  tokenMean(weights, (t) => logp[t]!);

function tokenMean(weights: Float32Array, valueOf: (token: number) => number): number {
  let [sum, total] = [0, 0];
  weights.forEach((weight, t) => {
    // A token that is not explained may be impossible: 0 · −∞ would be no number.
    if (weight > 0) sum += weight * valueOf(t);
    total += weight;
  });
  return sum / total;
}
