import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';

/** Which fields of a message hold messages that may hold tensors, and which of a tensor's fields hold its numbers. */
interface Level {
  readonly messages: Readonly<Record<number, Level>>;
  readonly data?: readonly number[];
}

/** raw_data, and packed float_data and double_data, which are the same bytes; other fields are variable in length. */
const TENSOR: Level = { messages: {}, data: [9, 4, 10] };
const GRAPH: { messages: Record<number, Level> } = { messages: { 5: TENSOR } };
const ATTRIBUTE: Level = { messages: { 5: TENSOR, 10: TENSOR, 6: GRAPH, 11: GRAPH } };
GRAPH.messages[1] = { messages: { 5: ATTRIBUTE } };
/** A ModelProto: its graph (7). */
const MODEL: Level = { messages: { 7: GRAPH } };

/** Messages of up to this many bytes are taken as they are. */
const SMALL = 4096;
const BLOCK = 1 << 16;

/** Fields of TensorProto that we write: external_data and data_location. */
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
/** data_location: EXTERNAL */
const EXTERNAL = 1;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * An ONNX file without its weights: as a ModelProto in which the data of every tensor larger than `limit` is a reference to its
 * place in the same file. Only the rest is read, so that a file of 2 GB takes no more memory than its graph.
 *
 * @throws Error for a file that is cut off or no protobuf
 */
export function skim(path: string, limit: number): Uint8Array {
  const file = new Window(path);
  try {
    return joined(skimMessage(file, 0, file.size, MODEL, limit, basename(path)));
  } finally {
    file.close();
  }
}

/** A file that is read block by block. */
class Window {
  readonly size: number;
  readonly #handle: number;
  readonly #block = new Uint8Array(BLOCK);
  #start = 0;
  #length = 0;

  constructor(path: string) {
    this.#handle = openSync(path, 'r');
    this.size = fstatSync(this.#handle).size;
  }

  close(): void {
    closeSync(this.#handle);
  }

  byte(at: number): number {
    if (at < this.#start || at >= this.#start + this.#length) {
      this.#start = at;
      this.#length = readSync(this.#handle, this.#block, 0, BLOCK, at);
      if (this.#length === 0) throw new Error('it ends too early');
    }
    return this.#block[at - this.#start]!;
  }

  bytes(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(to - from);
    let done = 0;
    while (done < bytes.length) {
      const got = readSync(this.#handle, bytes, done, bytes.length - done, from + done);
      if (got === 0) throw new Error('it ends too early');
      done += got;
    }
    return bytes;
  }

  /** A number of variable length and where it ends. */
  varint(at: number): readonly [value: number, end: number] {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte(at + i);
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return [value, at + i + 1];
    }
    throw new Error('it holds a number that is too long');
  }
}

function skimMessage(
  file: Window,
  start: number,
  end: number,
  level: Level,
  limit: number,
  location: string,
): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const references: Uint8Array[] = [];
  // What is kept as it is gathers up and is copied in one go.
  let kept = start;
  const flush = (upTo: number): void => {
    if (upTo > kept) parts.push(file.bytes(kept, upTo));
  };
  for (let at = start; at < end;) {
    const [tag, afterTag] = file.varint(at);
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (field === 0) throw new Error('it holds a field without a number');
    const [length, body] = wire === BYTES ? file.varint(afterTag) : [0, afterTag];
    const next = wire === BYTES ? body + length : skipScalar(file, wire, afterTag);
    if (next > end) throw new Error('it ends too early');
    const inner = wire === BYTES && length > SMALL ? level.messages[field] : undefined;
    if (inner !== undefined) {
      flush(at);
      const content = skimMessage(file, body, next, inner, limit, location);
      const size = content.reduce((sum, part) => sum + part.length, 0);
      parts.push(varintBytes(tag), varintBytes(size), ...content);
      kept = next;
    } else if (wire === BYTES && length > limit && level.data?.includes(field) === true) {
      flush(at);
      references.push(...reference(location, body, length));
      kept = next;
    }
    at = next;
  }
  flush(end);
  // Last, because of two data_locations the later one holds, and some writers state the default.
  return [...parts, ...references];
}

function skipScalar(file: Window, wire: number, at: number): number {
  if (wire === VARINT) return file.varint(at)[1];
  if (wire === FIXED64) return at + 8;
  if (wire === FIXED32) return at + 4;
  throw new Error(`it holds a field of unknown kind ${String(wire)}`);
}

/** The fields that say where a tensor's data lies. */
function reference(location: string, offset: number, length: number): Uint8Array[] {
  const entries = Object.entries({ location, offset: String(offset), length: String(length) });
  const text = (field: number, value: string): Uint8Array[] => {
    const bytes = new TextEncoder().encode(value);
    return [varintBytes(field * 8 + BYTES), varintBytes(bytes.length), bytes];
  };
  return [
    ...entries.flatMap(([key, value]) => {
      const entry = joined([...text(1, key), ...text(2, value)]);
      return [varintBytes(EXTERNAL_DATA * 8 + BYTES), varintBytes(entry.length), entry];
    }),
    varintBytes(DATA_LOCATION * 8 + VARINT),
    varintBytes(EXTERNAL),
  ];
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
