import { intAttr } from '../attributes.ts';
import { raiseOpset } from '../graph.ts';
import { normalAxis } from '../shapes/site.ts';
import { UNSIGNED_TYPES, blockShift, reinterpret, scaledCodes } from './dequantise.ts';
import type { Lowering } from './site.ts';

/**
 * Chosen rows of a table quantised in blocks. Nothing flows into a stored table or its indices, so a graph of ours keeps the
 * operator as it is; this form is for whoever differentiates with respect to the scales.
 */
export const gatherBlockQuantized: Lowering = (site) => {
  const { b, node } = site;
  const [table, indices, scales] = [site.x(0), site.x(1), site.x(2)];
  const { dtype, dims } = b.graph.type(table);
  const block = intAttr(node, 'block_size', 128);
  const bits = intAttr(node, 'bits', 4);
  const packed = dtype === 'uint8';
  const full = packed ? [...dims.slice(0, -1), (dims.at(-1)! * 8) / bits] : dims;
  const codes = packed ? reinterpret(b, node, table, UNSIGNED_TYPES[bits] ?? 'uint8', full) : table;
  const quantised = normalAxis(intAttr(node, 'quantize_axis', 1), full.length);
  const gathered = normalAxis(intAttr(node, 'gather_axis', 0), full.length);
  if (quantised !== full.length - 1 || gathered === quantised) {
    throw site.error('only a table quantised along its last axis and read along another is supported');
  }
  const take = (x: string) => b.op('Gather', [x, indices], { axis: { kind: 'int', value: gathered } });
  const rows = take(scaledCodes(b, codes, scales, quantised, block));
  const zero = site.optional(3);
  if (zero === undefined && !packed) return [rows];
  const flat = b.reshape(scales, [-1, b.dims(scales).at(-1)!]);
  const shift =
    zero === undefined || packed
      ? blockShift(b, node, zero, flat, bits)
      : b.mul(flat, b.reshape(b.castLike(zero, scales), b.dims(flat)));
  const shifts = take(b.reshape(shift, b.dims(scales)));
  const shape = b.dims(rows);
  const blocks = b.dims(shifts).at(-1)!;
  const spread = b.reshape(b.expand(b.reshape(shifts, [...b.dims(shifts), 1]), [...b.dims(shifts), block]), [
    ...shape.slice(0, -1),
    blocks * block,
  ]);
  const exact = blocks * block === shape.at(-1) ? spread : b.slice(spread, shape.length - 1, 0, shape.at(-1)!);
  return [b.sub(rows, exact)];
};

/** The same as ONNX's own, under onnxruntime's domain: for integers of 16 bits, which ONNX's takes since opset 21. */
export const dequantizeLinear: Lowering = ({ b, node }) => {
  raiseOpset(b.graph, 21);
  return [b.op('DequantizeLinear', node.inputs, node.attributes)];
};
