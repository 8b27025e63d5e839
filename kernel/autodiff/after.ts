import type { Builder } from '../onnx/builder.ts';
import { dtypeId } from '../onnx/dtype.ts';
import type { DType } from '../onnx/dtype.ts';
import { int } from '../onnx/graph.ts';

/**
 * A constant that is not there before another value is: the same rows, gathered at positions that seem to depend on `trigger`.
 *
 * A runtime computes what follows from constants alone as early as it likes, even before the first run. For weights that a backward
 * product spreads out to full size (packed ones, half precision) all of them would stand in memory at once; so each waits for the
 * gradient that it is multiplied by.
 */
export function after(b: Builder, constant: string, trigger: string): string {
  const rows = b.dims(constant)[0]!;
  const positions = b.op(
    'Range',
    [0, rows, 1].map((value) => b.constant('int64', [], [value])),
  );
  return b.op('Gather', [constant, b.add(positions, zeroAfter(b, trigger, 'int64'))]);
}

/** [0], which cannot be known before another value is: added to something, it makes that wait. */
export function zeroAfter(b: Builder, trigger: string, dtype: DType): string {
  const first = b.op('Gather', [b.reshape(trigger, [-1]), b.constant('int64', [1], [0])]);
  // No size is below zero, not even one that is no number: this is false, and 0 as a number.
  const never = b.op('Less', [b.op('Abs', [first]), b.constant(b.graph.type(first).dtype, [1], [0])]);
  return b.op('Cast', [never], { to: int(dtypeId(dtype)) });
}
