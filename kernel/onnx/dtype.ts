/** Element types of ONNX tensors, by the names that onnxruntime uses where it has one. */
export type DType =
  | 'float32'
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'string'
  | 'bool'
  | 'float16'
  | 'float64'
  | 'uint32'
  | 'uint64'
  | 'bfloat16'
  | 'uint4'
  | 'int4';

/** TensorProto.DataType number and bits of one element (0: no fixed size). */
const TYPES: Readonly<Record<DType, { readonly id: number; readonly bits: number }>> = {
  float32: { id: 1, bits: 32 },
  uint8: { id: 2, bits: 8 },
  int8: { id: 3, bits: 8 },
  uint16: { id: 4, bits: 16 },
  int16: { id: 5, bits: 16 },
  int32: { id: 6, bits: 32 },
  int64: { id: 7, bits: 64 },
  string: { id: 8, bits: 0 },
  bool: { id: 9, bits: 8 },
  float16: { id: 10, bits: 16 },
  float64: { id: 11, bits: 64 },
  uint32: { id: 12, bits: 32 },
  uint64: { id: 13, bits: 64 },
  bfloat16: { id: 16, bits: 16 },
  uint4: { id: 21, bits: 4 },
  int4: { id: 22, bits: 4 },
};

const BY_ID = new Map<number, DType>(Object.entries(TYPES).map(([name, { id }]) => [id, name as DType]));

/** The type of a TensorProto.DataType number, or undefined for one that no LVLM export uses (complex, float8, …). */
export const dtypeOf = (id: number): DType | undefined => BY_ID.get(id);

/** The TensorProto.DataType number of a type. */
export const dtypeId = (dtype: DType): number => TYPES[dtype].id;

/** Bytes that `count` elements take in raw data. */
export const byteLength = (dtype: DType, count: number): number => Math.ceil((TYPES[dtype].bits * count) / 8);

/** Whether gradients can flow through values of this type. */
export const isFloat = (dtype: DType): boolean =>
  dtype === 'float32' || dtype === 'float16' || dtype === 'float64' || dtype === 'bfloat16';

/** Number of elements of a shape; 1 for a scalar. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

interface Codec {
  readonly get: (view: DataView, at: number) => number;
  readonly set: (view: DataView, at: number, value: number) => void;
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Exporters write INT64_MAX for 'to the end'; as a double it rounds to 2^63, so it is clamped on the way back. */
const toInt64 = (value: number): bigint => {
  const exact = BigInt(Math.trunc(value));
  return exact > INT64_MAX ? INT64_MAX : exact < INT64_MIN ? INT64_MIN : exact;
};

const CODECS: Readonly<Partial<Record<DType, Codec>>> = {
  float32: { get: (v, at) => v.getFloat32(at, true), set: (v, at, x) => v.setFloat32(at, x, true) },
  float64: { get: (v, at) => v.getFloat64(at, true), set: (v, at, x) => v.setFloat64(at, x, true) },
  float16: {
    get: (v, at) => halfToNumber(v.getUint16(at, true)),
    set: (v, at, x) => v.setUint16(at, numberToHalf(x), true),
  },
  bfloat16: {
    get: (v, at) => bfloatToNumber(v.getUint16(at, true)),
    set: (v, at, x) => v.setUint16(at, numberToBfloat(x), true),
  },
  int64: {
    get: (v, at) => Number(v.getBigInt64(at, true)),
    set: (v, at, x) => v.setBigInt64(at, toInt64(x), true),
  },
  uint64: {
    get: (v, at) => Number(v.getBigUint64(at, true)),
    set: (v, at, x) => v.setBigUint64(at, BigInt(Math.trunc(x)), true),
  },
  int32: { get: (v, at) => v.getInt32(at, true), set: (v, at, x) => v.setInt32(at, x, true) },
  uint32: { get: (v, at) => v.getUint32(at, true), set: (v, at, x) => v.setUint32(at, x, true) },
  int16: { get: (v, at) => v.getInt16(at, true), set: (v, at, x) => v.setInt16(at, x, true) },
  uint16: { get: (v, at) => v.getUint16(at, true), set: (v, at, x) => v.setUint16(at, x, true) },
  int8: { get: (v, at) => v.getInt8(at), set: (v, at, x) => v.setInt8(at, x) },
  uint8: { get: (v, at) => v.getUint8(at), set: (v, at, x) => v.setUint8(at, x) },
  bool: { get: (v, at) => (v.getUint8(at) === 0 ? 0 : 1), set: (v, at, x) => v.setUint8(at, x === 0 ? 0 : 1) },
};

/** Whether {@link decode} and {@link encode} know this type. */
export const isDecodable = (dtype: DType): boolean => CODECS[dtype] !== undefined;

/** Numbers from little-endian raw data. int64 beyond 2^53 is rounded: fine for shapes and indices, where it means 'to the end'. */
export function decode(dtype: DType, bytes: Uint8Array): Float64Array {
  const codec = CODECS[dtype]!;
  const step = TYPES[dtype].bits / 8;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.byteLength / step }, (_, i) => codec.get(view, i * step));
}

/** Little-endian raw data from numbers; the inverse of {@link decode}. */
export function encode(dtype: DType, values: ArrayLike<number>): Uint8Array {
  const codec = CODECS[dtype]!;
  const step = TYPES[dtype].bits / 8;
  const bytes = new Uint8Array(values.length * step);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) codec.set(view, i * step, values[i]!);
  return bytes;
}

/** IEEE 754 half precision to a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** A number to IEEE 754 half precision, rounded to nearest, ties to even. */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || Number.MIN_VALUE)));
  const unit = 2 ** (exponent - 10);
  const scaled = size / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A carry out of the fraction lands in the exponent's bits, which is what rounding up to the next binade means.
  return sign | (rounded < 1024 ? rounded : ((exponent + 15 - 1) << 10) + rounded);
}

const WORD = new DataView(new ArrayBuffer(4));

/** bfloat16, the upper half of a single-precision number, to a number. */
export function bfloatToNumber(bits: number): number {
  WORD.setUint32(0, bits * 0x10000);
  return WORD.getFloat32(0);
}

/** A number to bfloat16, rounded to nearest, ties to even. */
export function numberToBfloat(value: number): number {
  WORD.setFloat32(0, value);
  const bits = WORD.getUint32(0);
  if (Number.isNaN(value)) return 0x7fc0;
  return Math.floor((bits + 0x7fff + ((bits >>> 16) & 1)) / 0x10000) & 0xffff;
}
