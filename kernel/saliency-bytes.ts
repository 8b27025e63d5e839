import type { Mask } from './attribution/scorer.ts';
import type { SaliencyMap } from './document.ts';

type Encoded = Pick<SaliencyMap, 'rows' | 'cols' | 'data' | 'offset' | 'scale'>;

/** A map as the document stores it: one byte a cell, `value = offset + scale · byte`. */
export function encodedMap({ rows, cols, data }: Mask): Encoded {
  const [least, most] = data.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
  const scale = (most - least) / 255;
  const bytes = Uint8Array.from(data, (value) => (scale > 0 ? Math.round((value - least) / scale) : 0));
  return { rows, cols, data: Buffer.from(bytes).toString('base64'), offset: least, scale };
}

/** The values of a stored map, exact to half a step of its scale. */
export function decodedMap({ rows, cols, data, offset, scale }: Encoded): Mask {
  return { rows, cols, data: Float32Array.from(Buffer.from(data, 'base64'), (byte) => offset + scale * byte) };
}
