import { intAttr, nodeError } from '../attributes.ts';
import type { ShapeRule } from './site.ts';
import { normalAxis } from './site.ts';

/** y, mean and 1/σ; the statistics keep the reduced axes as 1. */
export const layerNormalization: ShapeRule = (site) => {
  const { dtype, dims } = site.type(0);
  const axis = normalAxis(intAttr(site.node, 'axis', -1), dims.length);
  const statistics = { dtype, dims: dims.map((dim, i) => (i < axis ? dim : 1)) };
  return [site.type(0), statistics, statistics];
};

/** y and 1/rms. */
export const rmsNormalization: ShapeRule = (site) => {
  const [y, statistics] = layerNormalization(site);
  return [y!, statistics!];
};

/** @throws LensError in training mode, where the running statistics would be outputs */
export const batchNormalization: ShapeRule = (site) => {
  if (intAttr(site.node, 'training_mode', 0) !== 0) {
    throw nodeError(
      site.node,
      'BatchNormalization in training mode is not supported',
      'Export the model for inference (model.eval() in PyTorch)',
    );
  }
  return [site.type(0)];
};
