import { Builder } from '../onnx/builder.ts';
import { sizeOf } from '../onnx/dtype.ts';
import { Graph } from '../onnx/graph.ts';

/** How many numbers a strip has at most: a few of this size lie in a processor's own cache together. */
const STRIP = 1 << 18;
/** What fills fewer strips than this is in the cache as a whole. */
const FEWEST = 4;
/** Starting a strip costs too: one has at least this share of `STRIP`, or the value is not cut. */
const LEAST = 1 / 4;

/**
 * Work element by element on large values, strip after strip (a Scan): what one pass writes is still in the processor's
 * cache when the next one reads it. A chain of a dozen passes over a value that is larger than the cache waits for memory otherwise. Smaller
 * values are worked on as they are.
 *
 * @param values the others of shapes that broadcast to the first's
 * @param work is given the strips by name, in the same order, and a builder of the graph that they are in; gives a value of the first's shape
 */
export function inStrips(
  b: Builder,
  values: readonly string[],
  work: (b: Builder, strips: readonly string[]) => string,
): string {
  const { dims } = b.graph.type(values[0]!);
  const count = stripsOf(sizeOf(dims));
  if (count === undefined) return work(b, values);
  const size = sizeOf(dims) / count;
  const body = new Graph();
  // Within a graph and around it no two values may have the same name.
  const inner = new Builder(body, b.graph.fresh(`${b.prefix}/strip`));
  const strips = values.map((value) => {
    const name = body.fresh(`${inner.prefix}/in`);
    const type = { dtype: b.graph.type(value).dtype, dims: [size] };
    body.types.set(name, type);
    body.inputs.push({ name, ...type });
    return name;
  });
  body.outputs = [work(inner, strips)];
  const whole = b.scan(
    values.map((value) => b.reshape(b.expand(value, dims), [count, size])),
    body,
  );
  return b.reshape(whole, dims);
}

/** In how many strips of one size so many numbers are best cut; undefined where they are not to be cut. */
function stripsOf(size: number): number | undefined {
  if (size < FEWEST * STRIP) return undefined;
  for (let count = Math.ceil(size / STRIP); size / count >= LEAST * STRIP; count++) {
    if (size % count === 0) return count;
  }
  return undefined;
}
