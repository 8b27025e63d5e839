/** Jupyter's messages as they go over ZeroMQ: frames, and the signature that tells them from anybody else's. */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

export const PROTOCOL_VERSION = '5.4';

export interface Header {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly version: string;
}

export type Content = Readonly<Record<string, unknown>>;

/** A message that came in. */
export interface Message {
  /** Who sent it: a reply on the same socket begins with these frames. */
  readonly identities: readonly Buffer[];
  readonly header: Header;
  readonly parent: Partial<Header>;
  readonly metadata: Content;
  readonly content: Content;
}

const DELIMITER = '<IDS|MSG>';
const SCHEMES = ['sha256', 'sha384', 'sha512', 'sha1', 'md5'];

/** Signs and checks with the key that the connection file gives; an empty key means that nothing is signed. */
export class Wire {
  readonly #key: string;
  readonly #hash: string;
  readonly #session = randomUUID();
  readonly #seen = new Set<string>();

  /** @throws Error for a scheme that is not HMAC with a hash that Node has */
  constructor(key: string, scheme: string) {
    const hash = scheme.replace(/^hmac-/, '');
    if (key !== '' && !SCHEMES.includes(hash)) throw new Error(`the signature scheme "${scheme}" is not known`);
    this.#key = key;
    this.#hash = hash;
  }

  /** @throws Error for frames that are no message, have a wrong signature, or were received before */
  decode(frames: readonly Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.toString('latin1') === DELIMITER);
    const [signature, header, parent, metadata, content] = frames.slice(at + 1);
    if (at < 0 || !signature || !header || !parent || !metadata || !content) throw new Error('not a Jupyter message');
    this.#check(signature, [header, parent, metadata, content]);
    const json = (frame: Buffer): unknown => JSON.parse(frame.toString('utf8'));
    return {
      identities: frames.slice(0, at),
      header: json(header) as Header,
      parent: json(parent) as Partial<Header>,
      metadata: json(metadata) as Content,
      content: json(content) as Content,
    };
  }

  /**
   * @param parent the request that it answers; none for what the kernel says of its own accord
   * @param identities to whom, or on IOPub the topic
   */
  encode(
    type: string,
    content: Content,
    parent: Message | undefined,
    identities: readonly (Buffer | string)[],
    metadata: Content = {},
  ): (Buffer | string)[] {
    const header: Header = {
      msg_id: randomUUID(),
      msg_type: type,
      session: this.#session,
      username: 'kernel',
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
    };
    const parts = [header, parent?.header ?? {}, metadata, content].map((part) => JSON.stringify(part));
    return [...identities, DELIMITER, this.#sign(parts), ...parts];
  }

  #sign(parts: readonly (Buffer | string)[]): string {
    if (this.#key === '') return '';
    const hmac = createHmac(this.#hash, this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  #check(signature: Buffer, parts: readonly Buffer[]): void {
    if (this.#key === '') return;
    const expected = Buffer.from(this.#sign(parts));
    if (expected.length !== signature.length || !timingSafeEqual(expected, signature)) {
      throw new Error('a message with a wrong signature');
    }
    // A message that was overheard must not work twice.
    const digest = signature.toString('latin1');
    if (this.#seen.has(digest)) throw new Error('a message that was received before');
    this.#seen.add(digest);
    if (this.#seen.size > MOST_SEEN) this.#seen.delete(this.#seen.values().next().value!);
  }
}

/** So many signatures are remembered. */
const MOST_SEEN = 65_536;
