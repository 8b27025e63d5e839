/**
 * Mean probability of the explained tokens: Σ_t w_t·p_t / Σ_t w_t.
 * @param logp log p of each answer token
 */
export function meanProbability(logp: Float32Array, weights: Float32Array): number {
  let [sum, total] = [0, 0];
  weights.forEach((weight, t) => {
    sum += weight * Math.exp(logp[t]!);
    total += weight;
  });
  return sum / total;
}
