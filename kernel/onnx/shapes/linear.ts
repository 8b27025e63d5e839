import { intAttr, nodeError, stringAttr } from '../attributes.ts';
import type { Node, ValueType } from '../graph.ts';
import type { ShapeRule } from './site.ts';
import { broadcast } from './site.ts';

const shown = (dims: readonly number[]): string => `[${dims.join(', ')}]`;

/** The shape of a matrix product with NumPy's rules for vectors and stacks of matrices. */
export function matMulDims(node: Node, left: readonly number[], right: readonly number[]): readonly number[] {
  const a = left.length === 1 ? [1, ...left] : left;
  const b = right.length === 1 ? [...right, 1] : right;
  const stack = broadcast(a.slice(0, -2), b.slice(0, -2));
  if (stack === undefined || a.at(-1) !== b.at(-2)) {
    throw nodeError(
      node,
      `matrices of shapes ${shown(left)} and ${shown(right)} cannot be multiplied`,
      'Check the bound dimensions',
    );
  }
  return [...stack, ...(left.length === 1 ? [] : [a.at(-2)!]), ...(right.length === 1 ? [] : [b.at(-1)!])];
}

export const matMul: ShapeRule = (site) => [
  { dtype: site.type(0).dtype, dims: matMulDims(site.node, site.dims(0), site.dims(1)) },
];

const swapped = (dims: readonly number[], swap: boolean): readonly number[] =>
  swap ? [...dims.slice(0, -2), dims.at(-1)!, dims.at(-2)!] : dims;

/** com.microsoft FusedMatMul: alpha · A · B with either transposed. */
export const fusedMatMul: ShapeRule = (site) => {
  const a = swapped(site.dims(0), intAttr(site.node, 'transA', 0) !== 0);
  const b = swapped(site.dims(1), intAttr(site.node, 'transB', 0) !== 0);
  return [{ dtype: site.type(0).dtype, dims: matMulDims(site.node, a, b) }];
};

export const gemm: ShapeRule = (site) => fusedMatMul(site);

/** Output of an einsum: letters that are summed disappear. */
export const einsum: ShapeRule = (site) => {
  const { inputs, output } = einsumTerms(
    site.node,
    site.inputs.map((_, i) => site.dims(i).length),
  );
  const sizes = new Map<string, number>();
  inputs.forEach((term, i) => {
    [...term].forEach((letter, axis) => {
      const dim = site.dims(i)[axis]!;
      if (dim !== 1 || !sizes.has(letter)) sizes.set(letter, dim);
    });
  });
  const result: ValueType = { dtype: site.type(0).dtype, dims: [...output].map((letter) => sizes.get(letter)!) };
  return [result];
};

/** What stands for the axes of an ellipsis: letters that an equation cannot have. */
const ELLIPSIS = 'αβγδεζηθ';

/**
 * The letters of an einsum's inputs and output. An ellipsis becomes letters of its own, aligned at the last axis.
 *
 * @param ranks number of axes of each input
 */
export function einsumTerms(
  node: Node,
  ranks: readonly number[],
): { readonly inputs: readonly string[]; readonly output: string } {
  const equation = stringAttr(node, 'equation').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  let widest = 0;
  const letters = (count: number) => ELLIPSIS.slice(ELLIPSIS.length - count);
  const inputs = left.split(',').map((term, i) => {
    if (!term.includes('...')) return term;
    const count = ranks[i]! - (term.length - 3);
    if (count > ELLIPSIS.length) throw nodeError(node, `the einsum "${equation}" has too many axes`);
    widest = Math.max(widest, count);
    return term.replace('...', letters(count));
  });
  if (right !== undefined) return { inputs, output: right.replace('...', letters(widest)) };
  const all = [...inputs.join('')].filter((letter) => !ELLIPSIS.includes(letter));
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter));
  return { inputs, output: letters(widest) + once.sort().join('') };
}
