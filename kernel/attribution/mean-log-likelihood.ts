/**
 * Mean log p of the explained tokens, in nats: Σ_t w_t·log p_t / Σ_t w_t.
 * @param logp log p of each answer token
 */
export function meanLogLikelihood(logp: Float32Array, weights: Float32Array): number {
  let [sum, total] = [0, 0];
  weights.forEach((weight, t) => {
    // A token that is not explained may be impossible: 0 · −∞ would be no number.
    if (weight > 0) sum += weight * logp[t]!;
    total += weight;
  });
  return sum / total;
}
