import type { Builder } from '../onnx/builder.ts';
import type { ValueType } from '../onnx/graph.ts';
import { int } from '../onnx/graph.ts';
import type { Contribution, Piece } from './site.ts';

/** The sum of all contributions to a value's gradient; may be thin where all of them are. */
export function gather(b: Builder, contributions: readonly Contribution[], type: ValueType): string {
  const whole: string[] = [];
  const pieces = new Map<number, Piece[]>();
  for (const contribution of contributions) {
    if (typeof contribution === 'string') whole.push(contribution);
    else pieces.set(contribution.axis, [...(pieces.get(contribution.axis) ?? []), contribution]);
  }
  for (const [axis, list] of pieces) {
    for (const row of disjointRows(b, axis, list)) whole.push(joined(b, axis, row, type));
  }
  // A full gradient first, so that sums of thin ones do not decide the shape.
  whole.sort((x, y) => b.dims(y).length - b.dims(x).length);
  // In place, one after the other: ONNX Runtime's Sum takes twice as long.
  return whole.reduce((sum, one) => b.add(sum, one));
}

/** Groups pieces so that those of a group do not overlap, each group in order along the axis. */
function disjointRows(b: Builder, axis: number, pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const rows: Piece[][] = [];
  for (const piece of pieces.toSorted((p, q) => p.start - q.start)) {
    const free = rows.find((row) => {
      const last = row[row.length - 1]!;
      return last.start + b.dims(last.value)[axis]! <= piece.start;
    });
    if (free === undefined) rows.push([piece]);
    else free.push(piece);
  }
  return rows;
}

/** Pieces that do not overlap as one tensor, with zeros in the gaps. */
function joined(b: Builder, axis: number, row: readonly Piece[], type: ValueType): string {
  const size = type.dims[axis]!;
  const length = (piece: Piece) => b.dims(piece.value)[axis]!;
  const [first] = row as [Piece];
  if (row.length === 1) {
    const amounts = (amount: number) => type.dims.map((_, at) => (at === axis ? amount : 0));
    return b.pad(first.value, amounts(first.start), amounts(size - first.start - length(first)));
  }
  const parts: string[] = [];
  let at = 0;
  const fill = (upTo: number) => {
    if (upTo > at)
      parts.push(
        b.zeros(
          type.dims.map((dim, i) => (i === axis ? upTo - at : dim)),
          first.value,
        ),
      );
  };
  for (const piece of row) {
    fill(piece.start);
    parts.push(piece.value);
    at = piece.start + length(piece);
  }
  fill(size);
  return b.op('Concat', parts, { axis: int(axis) });
}
