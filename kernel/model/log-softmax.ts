/** The greatest of `count` values from `start` on, and its logarithmic probability under their softmax. */
export function mostLikely(logits: Float32Array, start: number, count: number): { id: number; logp: number } {
  let id = 0;
  for (let i = 1; i < count; i++) if (logits[start + i]! > logits[start + id]!) id = i;
  let sum = 0;
  const greatest = logits[start + id]!;
  for (let i = 0; i < count; i++) sum += Math.exp(logits[start + i]! - greatest);
  return { id, logp: -Math.log(sum) };
}
