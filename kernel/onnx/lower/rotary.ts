import { intAttr } from '../attributes.ts';
import { int } from '../graph.ts';
import type { FusedSite, Lowering } from './site.ts';

/** Angles of a rotary embedding, for every pair of channels that turns. */
export interface RotaryTables {
  /** cos of both members of a pair; broadcasts to [batch, heads, sequence, turning channels]. */
  readonly cos: string;
  /** −sin for the first member of a pair and sin for the second: with them, x·cos + partner(x)·sin is the rotation. */
  readonly sin: string;
  /** How many channels turn. */
  readonly channels: number;
  /** Pairs are neighbours (0,1), (2,3), …; otherwise channel i goes with i + channels/2. */
  readonly interleaved: boolean;
}

/**
 * @param cos the cosines, [batch or 1, 1, sequence, channels/2]
 * @param sin the sines, of the same shape
 * @param key names the tables, so that all layers with the same ones share what is written
 */
export function rotaryTables(
  site: FusedSite,
  cos: string,
  sin: string,
  interleaved: boolean,
  key: string,
): RotaryTables {
  const { b } = site;
  const half = site.dims(cos);
  const channels = 2 * half.at(-1)!;
  const join = (name: string, first: () => string, second: string) =>
    site.once(`${name} ${key} ${String(interleaved)}`, () => {
      if (!interleaved) return b.op('Concat', [first(), second], { axis: int(-1) });
      const column = (x: string) => b.reshape(x, [...half, 1]);
      return b.reshape(b.op('Concat', [column(first()), column(second)], { axis: int(-1) }), [
        ...half.slice(0, -1),
        channels,
      ]);
    });
  return {
    cos: join('cos', () => cos, cos),
    sin: join('sin', () => b.op('Neg', [sin]), sin),
    channels,
    interleaved,
  };
}

/** Turns each pair of the first channels of x, [batch, heads, sequence, head size]; the rest passes unchanged. */
export function rotate(site: FusedSite, x: string, tables: RotaryTables): string {
  const { b } = site;
  const dims = site.dims(x);
  const { channels } = tables;
  const still = dims.at(-1)! - channels;
  if (still > 0) {
    const [turning, rest] = b.multi('Split', [x, b.ints([channels, still])], { axis: int(-1) }, { outputs: 2 });
    return b.op('Concat', [rotate(site, turning!, tables), rest!], { axis: int(-1) });
  }
  const pairs = tables.interleaved ? b.reshape(x, [...dims.slice(0, -1), channels / 2, 2]) : x;
  const [first, second] = b.multi('Split', [pairs], { axis: int(-1), num_outputs: int(2) }, { outputs: 2 });
  const partner = b.reshape(b.op('Concat', [second!, first!], { axis: int(-1) }), dims);
  return b.add(b.mul(x, tables.cos), b.mul(partner, tables.sin));
}

/** Rows of a cache [positions, channels/2] at given positions, [batch, sequence], as [batch, 1, sequence, channels/2]. */
export function rowsAt(site: FusedSite, cache: string, positions: string): string {
  const { b } = site;
  return site.once(`rows ${cache} at ${positions}`, () => {
    const [batch, length] = site.dims(positions) as [number, number];
    return b.reshape(b.op('Gather', [cache, positions]), [batch, 1, length, site.dims(cache)[1]!]);
  });
}

/** Rows `start` … of a cache, as [1, 1, length, channels/2]. */
export function rowsFrom(site: FusedSite, cache: string, start: number, length: number): string {
  const { b } = site;
  return site.once(`rows ${cache} from ${String(start)}, ${String(length)}`, () => {
    const [positions, channels] = site.dims(cache) as [number, number];
    if (start + length > positions) {
      throw site.error(
        `the rotary cache has ${String(positions)} positions where ${String(start + length)} are needed`,
        'Use a shorter text',
      );
    }
    return b.reshape(b.slice(cache, 0, start, length), [1, 1, length, channels]);
  });
}

/** x as [batch, heads, sequence, head size], and how to bring a result back to x's own layout. */
function asHeads(site: FusedSite, heads: number): { x: string; back: (y: string) => string } {
  const { b } = site;
  const dims = site.dims(site.x());
  if (dims.length === 4) return { x: site.x(), back: (y) => y };
  const [batch, length, hidden] = dims as [number, number, number];
  const split = b.reshape(site.x(), [batch, length, heads, hidden / heads]);
  return {
    x: b.transpose(split, [0, 2, 1, 3]),
    back: (y) => b.reshape(b.transpose(y, [0, 2, 1, 3]), dims),
  };
}

/**
 * com.microsoft RotaryEmbedding: x is [batch, sequence, hidden] or [batch, heads, sequence, head size]; position_ids are
 * [batch, sequence], or one number where the positions begin.
 */
export const microsoftRotaryEmbedding: Lowering = (site) => {
  const { b, node } = site;
  const [cosCache, sinCache] = [site.x(2), site.x(3)];
  const turning = intAttr(node, 'rotary_embedding_dim', 0);
  const dims = site.dims(site.x());
  const given = intAttr(node, 'num_heads', 0);
  if (turning > 0 && given === 0 && dims.length === 3) {
    throw site.error('rotary_embedding_dim is given without num_heads', 'Export the model again');
  }
  // Without num_heads every channel turns, so the cache tells the head size.
  const heads = given > 0 ? given : dims.length === 4 ? dims[1]! : dims[2]! / (2 * site.dims(cosCache)[1]!);
  const { x, back } = asHeads(site, heads);
  const [batch, , length] = site.dims(x) as [number, number, number];
  const ids = site.x(1);
  const positions =
    site.dims(ids).length === 2
      ? ids
      : site.once(`positions from ${ids}, ${String(batch)}×${String(length)}`, () => {
          const steps = b.op(
            'Range',
            [0, length, 1].map((value) => b.constant('int64', [], [value])),
          );
          const line = b.add(b.reshape(ids, [1, 1]), b.reshape(steps, [1, length]));
          return b.expand(line, [batch, length]);
        });
  const interleaved = intAttr(node, 'interleaved', 0) !== 0;
  const rows = (cache: string) => rowsAt(site, cache, positions);
  const tables = rotaryTables(
    site,
    rows(cosCache),
    rows(sinCache),
    interleaved,
    `${cosCache} ${sinCache} ${positions}`,
  );
  const y = back(rotate(site, x, tables));
  const factor = node.attributes.scale?.kind === 'float' ? node.attributes.scale.value : 1;
  return [b.scale(y, factor)];
};

/**
 * ONNX's RotaryEmbedding (opset 23): the caches are [positions, channels/2] with position_ids [batch, sequence], or
 * [batch, sequence, channels/2] without.
 */
export const rotaryEmbedding: Lowering = (site) => {
  const { b, node } = site;
  const heads = intAttr(node, 'num_heads', 0);
  const { x, back } = asHeads(site, heads);
  const [cosCache, sinCache] = [site.x(1), site.x(2)];
  const positions = site.optional(3);
  const rows = (cache: string): string => {
    if (positions !== undefined) return rowsAt(site, cache, positions);
    const [batch, length, half] = site.dims(cache) as [number, number, number];
    return b.reshape(cache, [batch, 1, length, half]);
  };
  const interleaved = intAttr(node, 'interleaved', 0) !== 0;
  const key = `${cosCache} ${sinCache} ${positions ?? ''}`;
  return [back(rotate(site, x, rotaryTables(site, rows(cosCache), rows(sinCache), interleaved, key)))];
};
