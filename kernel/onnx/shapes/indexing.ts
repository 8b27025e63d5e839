import { hasAttr, intAttr } from '../attributes.ts';
import type { ShapeRule } from './site.ts';
import { normalAxis } from './site.ts';

export const gather: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const axis = normalAxis(intAttr(site.node, 'axis', 0), dims.length);
  return [{ dtype, dims: [...dims.slice(0, axis), ...site.dims(1), ...dims.slice(axis + 1)] }];
};

export const gatherElements: ShapeRule = (site) => [{ dtype: site.type(0).dtype, dims: site.dims(1) }];

export const gatherND: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const indices = site.dims(1);
  const batch = intAttr(site.node, 'batch_dims', 0);
  return [{ dtype, dims: [...indices.slice(0, -1), ...dims.slice(batch + indices.at(-1)!)] }];
};

export const oneHot: ShapeRule = (site) => {
  const dims = [...site.dims(0)];
  const axis = normalAxis(intAttr(site.node, 'axis', -1), dims.length + 1);
  dims.splice(axis, 0, site.known(1)[0]!);
  return [{ dtype: site.type(2).dtype, dims }];
};

/** As many slices as the condition has truths; without an axis the input counts as flat. */
export const compress: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const kept = site.known(1).filter((truth) => truth !== 0).length;
  if (!hasAttr(site.node, 'axis')) return [{ dtype, dims: [kept] }];
  return [{ dtype, dims: dims.with(normalAxis(intAttr(site.node, 'axis'), dims.length), kept) }];
};

/** One column for each element that is not 0. */
export const nonZero: ShapeRule = (site) => [
  { dtype: 'int64', dims: [site.dims(0).length, site.known(0).filter((value) => value !== 0).length] },
];
