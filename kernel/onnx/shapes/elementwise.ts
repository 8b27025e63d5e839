import { hasAttr, intAttr, nodeError } from '../attributes.ts';
import type { DType } from '../dtype.ts';
import { dtypeOf } from '../dtype.ts';
import type { ShapeRule, ShapeSite } from './site.ts';
import { broadcast } from './site.ts';

function broadcastInputs(site: ShapeSite, inputs = site.inputs.flatMap((type) => type ?? [])): readonly number[] {
  const dims = broadcast(...inputs.map((type) => type.dims));
  if (dims === undefined) {
    const shapes = inputs.map((type) => `[${type.dims.join(', ')}]`).join(' and ');
    throw nodeError(site.node, `the shapes ${shapes} do not fit together`, 'Check the dimensions that were bound');
  }
  return dims;
}

/** The same shape and type as the first input. */
export const same: ShapeRule = (site) => [site.type(0)];

/** The first input's shape; its type, unless the attribute `dtype` names another. */
export const typed: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const wanted = hasAttr(site.node, 'dtype') ? dtypeOf(intAttr(site.node, 'dtype')) : dtype;
  if (wanted === undefined) throw nodeError(site.node, `${site.node.op} to an unsupported type`);
  return [{ dtype: wanted, dims }];
};

/** Broadcast, with the first input's type. */
export const arithmetic: ShapeRule = (site) => [{ dtype: site.type(0).dtype, dims: broadcastInputs(site) }];

/** Broadcast, to booleans. */
export const comparison: ShapeRule = (site) => [{ dtype: 'bool', dims: broadcastInputs(site) }];

export const test: ShapeRule = (site) => [{ dtype: 'bool', dims: site.dims(0) }];

export const where: ShapeRule = (site) => [{ dtype: site.type(1).dtype, dims: broadcastInputs(site) }];

export const cast: ShapeRule = (site) => {
  const dtype: DType | undefined = dtypeOf(intAttr(site.node, 'to'));
  if (dtype === undefined) throw nodeError(site.node, 'Cast to an unsupported type');
  return [{ dtype, dims: site.dims(0) }];
};

export const castLike: ShapeRule = (site) => [{ dtype: site.type(1).dtype, dims: site.dims(0) }];
