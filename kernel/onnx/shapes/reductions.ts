import { intAttr } from '../attributes.ts';
import type { ValueType } from '../graph.ts';
import type { ShapeRule, ShapeSite } from './site.ts';
import { normalAxis } from './site.ts';

/** Axes that a reduction removes, ascending; without any given it is all of them. */
export function reducedAxes(site: Pick<ShapeSite, 'node' | 'inputs' | 'optional' | 'dims'>): readonly number[] {
  const rank = site.dims(0).length;
  const given = site.inputs.length > 1 ? site.optional(1) : undefined;
  if (given !== undefined && given.length > 0) {
    return given.map((axis) => normalAxis(axis, rank)).sort((a, b) => a - b);
  }
  if (intAttr(site.node, 'noop_with_empty_axes', 0) !== 0) return [];
  return Array.from({ length: rank }, (_, axis) => axis);
}

const without = (dims: readonly number[], axes: readonly number[], keep: boolean): readonly number[] =>
  keep ? dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) : dims.filter((_, axis) => !axes.includes(axis));

export const reduction: ShapeRule = (site) => [
  {
    dtype: site.type(0).dtype,
    dims: without(site.dims(0), reducedAxes(site), intAttr(site.node, 'keepdims', 1) !== 0),
  },
];

export const argReduction: ShapeRule = (site) => {
  const axis = normalAxis(intAttr(site.node, 'axis', 0), site.dims(0).length);
  return [{ dtype: 'int64', dims: without(site.dims(0), [axis], intAttr(site.node, 'keepdims', 1) !== 0) }];
};

export const topK: ShapeRule = (site) => {
  const dims = [...site.dims(0)];
  dims[normalAxis(intAttr(site.node, 'axis', -1), dims.length)] = site.known(1)[0]!;
  const types: readonly ValueType[] = [
    { dtype: site.type(0).dtype, dims },
    { dtype: 'int64', dims },
  ];
  return types;
};
