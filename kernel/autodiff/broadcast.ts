import type { Builder } from '../onnx/builder.ts';

/**
 * The adjoint of broadcasting: sums a gradient to the shape of the value that was broadcast.
 *
 * @param full the shape that broadcasting gave; where the gradient is thin (1) along an axis that was stretched to n, the sum is n times it
 */
export function sumToShape(b: Builder, gradient: string, full: readonly number[], target: readonly number[]): string {
  const lead = full.length - target.length;
  const own = b.dims(gradient);
  const shift = full.length - own.length;
  const axes: number[] = [];
  let factor = 1;
  for (const [axis, size] of full.entries()) {
    const stretched = axis < lead || (target[axis - lead] === 1 && size !== 1);
    if (!stretched) continue;
    if (axis >= shift && own[axis - shift] === size && size !== 1) axes.push(axis - shift);
    else factor *= size;
  }
  let result = gradient;
  if (axes.length > 0) {
    const onlyLeading = axes.every((axis, i) => axis === i) && axes.length === own.length - target.length;
    result = b.sum(result, axes, !onlyLeading);
  }
  const surplus = b.dims(result).length - target.length;
  if (surplus > 0) result = b.reshape(result, b.dims(result).slice(surplus));
  return b.scale(result, factor);
}
