import { floatAttr, intAttr, intsAttr, nodeError } from '../../onnx/attributes.ts';
import { float, int, isReference, text } from '../../onnx/graph.ts';
import { einsumTerms } from '../../onnx/shapes/linear.ts';
import type { Rule, Site } from '../site.ts';

/** Whether a value is a transposed matrix (the keys of attention; not its values, whose heads alone move), possibly times a number. */
function isTransposed(s: Site, value: string): boolean {
  const node = s.around.producer(value);
  if (node?.op === 'Transpose') return intsAttr(node, 'perm', []).at(-1) !== s.dims(value).length - 1;
  if (node?.op !== 'Mul') return false;
  const factor = node.inputs.findIndex((input) => s.b.values(input)?.length === 1);
  const matrix = factor >= 0 ? s.around.producer(node.inputs[1 - factor]!) : undefined;
  return matrix?.op === 'Transpose' && isTransposed(s, matrix.outputs[0]!);
}

/** Whether a value is a matrix of the model's file. */
function isWeight(s: Site, value: string): boolean {
  const constant = s.b.graph.constants.get(value);
  return constant !== undefined && constant.dims.length === 2 && isReference(constant);
}

/** Y = A·B: dA = dY·Bᵀ, dB = Aᵀ·dY; vectors are matrices of one row or column. */
export const matMul: Rule = (s) => {
  const { b } = s;
  const asRow = s.dims(s.x(0)).length === 1;
  const asColumn = s.dims(s.x(1)).length === 1;
  const left = () => (asRow ? b.reshape(s.x(0), [1, ...s.dims(s.x(0))]) : s.x(0));
  const right = () => (asColumn ? b.reshape(s.x(1), [...s.dims(s.x(1)), 1]) : s.x(1));
  const dy = () => {
    const dims = [...s.dims(s.y())];
    if (asColumn) dims.push(1);
    if (asRow) dims.splice(dims.length - 1, 0, 1);
    return b.reshape(s.dy, dims);
  };
  return [
    () => {
      if (isWeight(s, s.x(1)) && !asRow) {
        const [inner, outer] = s.dims(s.x(1)) as [number, number];
        // Gemm reads the weight transposed where it is. A Transpose of it the runtime would compute once and keep: the weight twice.
        const g = b.op('Gemm', [b.reshape(s.dy, [-1, outer]), s.x(1)], { transB: int(1) });
        return b.reshape(g, [...s.dims(s.x(0)).slice(0, -1), inner]);
      }
      const g = b.op('MatMul', [dy(), b.swap(right())]);
      return asRow ? b.reshape(s.sumTo(g, left()), s.dims(s.x(0))) : s.sumTo(g, s.x(0));
    },
    () => {
      // A matrix shared by a stack of others: one large product instead of a stack of products and their sum.
      if (s.dims(s.x(1)).length <= 2 && s.dims(left()).length > 2) {
        const inner = s.dims(left()).at(-1)!;
        const outer = s.dims(dy()).at(-1)!;
        const g = b.op('MatMul', [b.swap(b.reshape(left(), [-1, inner])), b.reshape(dy(), [-1, outer])]);
        return b.reshape(g, s.dims(s.x(1)));
      }
      // Where B is a transposed matrix, (dYᵀ·A)ᵀ: the transpositions then cancel.
      const g = isTransposed(s, s.x(1))
        ? b.swap(b.op('MatMul', [b.swap(dy()), left()]))
        : b.op('MatMul', [b.swap(left()), dy()]);
      return asColumn ? b.reshape(s.sumTo(g, right()), s.dims(s.x(1))) : s.sumTo(g, s.x(1));
    },
  ];
};

/** Y = α·A′·B′ + β·C, where ′ may transpose */
export const gemm: Rule = (s) => {
  const { b, node } = s;
  const alpha = floatAttr(node, 'alpha', 1);
  const transA = intAttr(node, 'transA', 0) !== 0;
  const transB = intAttr(node, 'transB', 0) !== 0;
  const product = (x: string, y: string, transX: boolean, transY: boolean) =>
    b.op('Gemm', [x, y], { alpha: float(alpha), transA: int(transX ? 1 : 0), transB: int(transY ? 1 : 0) });
  return [
    () => (transA ? product(s.x(1), s.dy, transB, true) : product(s.dy, s.x(1), false, !transB)),
    () => (transB ? product(s.dy, s.x(0), true, transA) : product(s.x(0), s.dy, !transA, false)),
    () => s.unbroadcast(b.scale(s.dy, floatAttr(node, 'beta', 1)), 2),
  ];
};

/** com.microsoft FusedMatMul: Y = α·A′·B′ */
export const fusedMatMul: Rule = (s) => {
  const { b, node } = s;
  const alpha = floatAttr(node, 'alpha', 1);
  const transA = intAttr(node, 'transA', 0) !== 0;
  const transB = intAttr(node, 'transB', 0) !== 0;
  if (intAttr(node, 'transBatchA', 0) + intAttr(node, 'transBatchB', 0) > 0) {
    throw nodeError(
      node,
      'FusedMatMul with transBatchA or transBatchB has no gradient rule',
      'Export the model with MatMul',
    );
  }
  const product = (x: string, y: string, transX: boolean, transY: boolean) =>
    b.op(
      'FusedMatMul',
      [x, y],
      { alpha: float(alpha), transA: int(transX ? 1 : 0), transB: int(transY ? 1 : 0) },
      { domain: 'com.microsoft' },
    );
  return [
    () => s.sumTo(transA ? product(s.x(1), s.dy, transB, true) : product(s.dy, s.x(1), false, !transB), s.x(0)),
    () => s.sumTo(transB ? product(s.dy, s.x(0), true, transA) : product(s.x(0), s.dy, !transA, false), s.x(1)),
  ];
};

/**
 * Swapping an operand's letters with the output's gives its gradient: for 'ij,jk->ik', dA is 'ik,jk->ij'. A letter that only this
 * operand has was summed away: its gradient is the same along that axis. A letter that it has twice takes a diagonal: the
 * gradient is written on that diagonal, by a product with the unit matrix.
 */
export const einsum: Rule = (s) => {
  const { b } = s;
  const ranks = s.node.inputs.map((input) => s.dims(input).length);
  const plain = plainLetters(einsumTerms(s.node, ranks));
  const { inputs, output } = plain;
  return inputs.map((term, i) => () => {
    const dims = s.dims(s.x(i));
    const terms = inputs.filter((_, k) => k !== i);
    const operands = s.node.inputs.filter((_, k) => k !== i);
    const reachable = new Set([...terms.join(''), ...output]);
    const unique = [...new Set(term)];
    const present = unique.filter((letter) => reachable.has(letter));
    const sum = b.op('Einsum', [...operands, s.dy], {
      equation: text(`${[...terms, output].join(',')}->${present.join('')}`),
    });
    // Thin along the summed axes: whoever uses it broadcasts. Where the operand has 1 and others more, it was stretched.
    const sizes = unique.map((letter) => dims[term.indexOf(letter)]!);
    const full = unique.map((letter) => (reachable.has(letter) ? b.dims(sum)[present.indexOf(letter)]! : 1));
    const stretched = full.flatMap((size, axis) => (size !== 1 && sizes[axis] === 1 ? [axis] : []));
    const thin = b.reshape(sum, full);
    const gradient = stretched.length === 0 ? thin : b.sum(thin, stretched);
    return unique.length === term.length ? gradient : onDiagonal(s, b.expand(gradient, sizes), unique, term, i);
  });
};

/** Single letters a to Z instead of those that stand for an ellipsis. */
function plainLetters(terms: ReturnType<typeof einsumTerms>): ReturnType<typeof einsumTerms> {
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  const letters = [...new Set(terms.inputs.join(''))];
  const plain = (term: string) => [...term].map((letter) => alphabet[letters.indexOf(letter)]!).join('');
  return { inputs: terms.inputs.map(plain), output: plain(terms.output) };
}

/** A gradient with one axis for each of `unique` spread to the axes of `term`, where letters repeat: zero off the diagonal. */
function onDiagonal(s: Site, gradient: string, unique: readonly string[], term: string, i: number): string {
  const { b } = s;
  const { dtype } = b.graph.type(s.x(i));
  const spare = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((letter) => !term.includes(letter));
  const operands = [gradient];
  const terms = [unique.join('')];
  const target = [...term].map((letter, axis) => {
    if (term.indexOf(letter) === axis) return letter;
    const copy = spare.pop()!;
    const size = s.dims(s.x(i))[axis]!;
    const unit = Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0));
    operands.push(b.constant(dtype, [size, size], unit, 'unit'));
    terms.push(letter + copy);
    return copy;
  });
  return b.op('Einsum', operands, { equation: text(`${terms.join(',')}->${target.join('')}`) });
}
