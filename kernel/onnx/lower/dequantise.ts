import { intAttr, nodeError } from '../attributes.ts';
import type { Builder } from '../builder.ts';
import type { DType } from '../dtype.ts';
import { byteLength, sizeOf } from '../dtype.ts';
import type { Node } from '../graph.ts';
import { int, raiseOpset } from '../graph.ts';

/** The first operator set with 4-bit integers and scales by blocks. */
const BLOCKED_OPSET = 21;

/** How packed numbers of this many bits are called when nothing is packed by hand. */
export const UNSIGNED_TYPES: Readonly<Record<number, DType>> = { 4: 'uint4', 8: 'uint8' };

/** The same bytes under another type and shape: nothing is copied, a range of a file stays one. */
export function reinterpret(b: Builder, node: Node, name: string, dtype: DType, dims: readonly number[]): string {
  const constant = b.graph.constants.get(name);
  if (constant === undefined) {
    throw nodeError(node, `the packed weight "${name}" is not stored in the model`, 'Export the model again');
  }
  const [have, want] = [byteLength(constant.dtype, sizeOf(constant.dims)), byteLength(dtype, sizeOf(dims))];
  if (have !== want) {
    throw nodeError(
      node,
      `the packed weight "${name}" of shape [${constant.dims.join(', ')}] has ${String(have)} bytes instead of ${String(want)}`,
      'Download or export the model again',
    );
  }
  const view = b.graph.fresh(`${name}/${dtype}`);
  b.graph.setConstant(view, { dtype, dims, data: constant.data });
  return view;
}

/**
 * Codes times their scales, by DequantizeLinear: onnxruntime does not compute that operator ahead of a run, so 4-bit weights stay 4
 * bits in memory and are spread out for the moment of one product, if the scales wait for it. Zero points are kept apart, since
 * their packing may end in the middle of a byte.
 *
 * @param codes a constant of an integer type
 * @param scales of the codes' shape but divided by `block` along `axis`
 */
export function scaledCodes(b: Builder, codes: string, scales: string, axis: number, block: number): string {
  raiseOpset(b.graph, BLOCKED_OPSET);
  return b.op('DequantizeLinear', [codes, scales], { axis: int(axis), block_size: int(block) });
}

/** The weight [N, K] of a MatMulNBits: scale·code − shift, with one scale and one shift for each block along K. */
export interface NBitsBlocks {
  /** scale·code, [N, blocks · block]: K rounded up to whole blocks. */
  readonly scaled: string;
  /** scale·zero point, [N, blocks]. */
  readonly shift: string;
  readonly blocks: number;
  readonly block: number;
}

/** Holds a constant back until something else is computed, so that a runtime does not compute too early what follows from it. */
export type Delay = (constant: string) => string;

/** Codes of 4 or 8 bits in blocks along K; zero points packed, of the scales' type, or absent (the middle of the range). */
export function nBitsBlocks(b: Builder, node: Node, delay: Delay): NBitsBlocks {
  const { codes, scales, shift, block } = nBits(b, node);
  return { scaled: scaledCodes(b, codes, delay(scales), 1, block), shift, blocks: b.dims(scales)[1]!, block };
}

/** The codes as they are, [N, blocks · block], with scales and shifts [N, blocks]: for a weight whose columns choose their block. */
export function nBitsGroups(
  b: Builder,
  node: Node,
  delay: Delay,
): { readonly codes: string; readonly scales: string; readonly shift: string } {
  const { codes, scales, shift } = nBits(b, node);
  return { codes: numbersOf(b, codes, scales, delay), scales, shift };
}

function nBits(b: Builder, node: Node): { codes: string; scales: string; shift: string; block: number } {
  const [n, k, block] = [intAttr(node, 'N'), intAttr(node, 'K'), intAttr(node, 'block_size')];
  const bits = intAttr(node, 'bits', 4);
  const dtype = UNSIGNED_TYPES[bits];
  if (dtype === undefined) {
    throw nodeError(node, `weights of ${String(bits)} bits cannot be differentiated`, 'Use an export with 4 or 8 bits');
  }
  const blocks = Math.ceil(k / block);
  const codes = reinterpret(b, node, node.inputs[1]!, dtype, [n, blocks * block]);
  const scales = b.reshape(node.inputs[2]!, [n, blocks]);
  const zero = node.inputs[3] ?? '';
  return { codes, scales, shift: blockShift(b, node, zero === '' ? undefined : zero, scales, bits), block };
}

/** Codes as numbers of the scales' type, spread out when the graph runs. */
function numbersOf(b: Builder, codes: string, scales: string, delay: Delay): string {
  raiseOpset(b.graph, BLOCKED_OPSET);
  const one = b.reshape(delay(b.constant(b.graph.type(scales).dtype, [1], [1])), []);
  return b.op('DequantizeLinear', [codes, one]);
}

/** scale·zero point, [rows, blocks]. */
export function blockShift(b: Builder, node: Node, zero: string | undefined, scales: string, bits: number): string {
  if (zero === undefined) return b.scale(scales, 2 ** (bits - 1));
  return b.mul(scales, unpacked(b, node, zero, scales, bits));
}

/** Zero points as numbers of the scales' type; rows of packed ones end at a whole byte. */
function unpacked(b: Builder, node: Node, zero: string, scales: string, bits: number): string {
  const [rows, blocks] = b.dims(scales) as [number, number];
  if (b.graph.type(zero).dtype !== 'uint8') return b.castLike(b.reshape(zero, [rows, blocks]), scales);
  const places = (Math.ceil((blocks * bits) / 8) * 8) / bits;
  const codes = reinterpret(b, node, zero, UNSIGNED_TYPES[bits]!, [rows, places]);
  const numbers = b.castLike(codes, scales);
  return places === blocks ? numbers : b.slice(numbers, 1, 0, blocks);
}

/** The 16 values of a 4-bit float, by code: bitsandbytes' FP4 and NF4. */
const BNB4_VALUES: readonly (readonly number[])[] = [
  [
    ...[0, 5.208333333e-3, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25],
    ...[-0, -5.208333333e-3, -0.66666667, -1, -0.33333333, -0.5, -0.16666667, -0.25],
  ],
  [
    ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
    ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
    ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
    ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
  ],
];

/**
 * The weight [N, K] of a MatMulBnb4. The codes, two in a byte with the first one in the upper half, are spread by DequantizeLinear
 * for the reason that {@link scaledCodes} gives, and looked up in the table of the 16 values.
 */
export function bnb4Weight(b: Builder, node: Node, delay: Delay): string {
  const [n, k, block] = [intAttr(node, 'N'), intAttr(node, 'K'), intAttr(node, 'block_size')];
  const values = BNB4_VALUES[intAttr(node, 'quant_type', 1)];
  if (values === undefined) {
    throw nodeError(
      node,
      `the 4-bit type ${String(intAttr(node, 'quant_type'))} is not known`,
      'Known are 0 (FP4) and 1 (NF4)',
    );
  }
  const absmax = node.inputs[2]!;
  const pairs = Math.ceil((n * k) / 2);
  const codes = reinterpret(b, node, node.inputs[1]!, 'uint4', [pairs, 2]);
  const numbers = numbersOf(b, codes, absmax, delay);
  const [low, high] = b.multi('Split', [numbers], { axis: int(1), num_outputs: int(2) }, { outputs: 2 });
  const ordered = b.reshape(b.op('Concat', [high!, low!], { axis: int(1) }), [2 * pairs]);
  const indices = b.op('Cast', [ordered], { to: int(6) });
  const table = b.constant(b.graph.type(absmax).dtype, [16], values);
  const looked = b.op('Gather', [table, indices]);
  const blocks = b.dims(absmax)[0]!;
  const places = blocks * block;
  const whole = places === 2 * pairs ? looked : b.pad(looked, [0], [places - 2 * pairs]);
  const flat = b.reshape(b.mul(b.reshape(whole, [blocks, block]), b.reshape(absmax, [blocks, 1])), [places]);
  return b.reshape(places === n * k ? flat : b.slice(flat, 0, 0, n * k), [n, k]);
}
