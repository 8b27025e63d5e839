/** A server that behaves like the Hub, as far as downloads see it, and misbehaves where a test asks for it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Contents by path in the repository. */
export type Files = Readonly<Record<string, Buffer>>;

/** A request that was made. */
export interface Seen {
  readonly host: 'hub' | 'cdn';
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** Answers instead of the server, or changes what it would answer. Returns true where it has answered. */
export type Fault = (request: IncomingMessage, response: ServerResponse, seen: Seen) => boolean | Promise<boolean>;

/** Files above this size are kept by LFS and come from the other host. In bytes. */
const LFS_FROM = 100_000;
/** Entries of a page of the list of files. */
const PAGE = 5;

export class HubServer {
  /** Repositories by id, then files by revision's commit. */
  readonly #repositories = new Map<string, { refs: Record<string, string>; commits: Map<string, Files> }>();
  readonly seen: Seen[] = [];
  /** Tried in turn for each request. */
  faults: Fault[] = [];
  /** Bytes per second of the other host; as fast as it goes where undefined. */
  rate: number | undefined;
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => void this.#answer('hub', request, response));
    this.#cdn = createServer((request, response) => void this.#answer('cdn', request, response));
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#cdn]) {
      await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    }
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  /** Another origin, as the Hub's content network is. */
  get cdn(): string {
    return `http://localhost:${(this.#cdn.address() as AddressInfo).port}`;
  }

  /** Makes a commit of these files that a branch points to. Returns its hash. */
  commit(id: string, files: Files, ref = 'main'): string {
    const hash = createHash('sha1');
    for (const [name, content] of Object.entries(files)) hash.update(`${name}\0`).update(content);
    const commit = hash.digest('hex');
    const repository = this.#repositories.get(id) ?? { refs: {}, commits: new Map<string, Files>() };
    repository.commits.set(commit, files);
    repository.refs[ref] = commit;
    this.#repositories.set(id, repository);
    return commit;
  }

  reset(): void {
    this.seen.length = 0;
    this.faults = [];
    this.rate = undefined;
  }

  async stop(): Promise<void> {
    for (const each of [this.#hub, this.#cdn]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
  }

  async #answer(host: Seen['host'], request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.endpoint);
    const { range, authorization } = request.headers;
    const seen = { host, method: request.method!, path: decodeURIComponent(url.pathname), range, authorization };
    this.seen.push(seen);
    for (const fault of this.faults) if (await fault(request, response, seen)) return;
    if (host === 'cdn') {
      await this.#send(this.#content(seen.path.slice(1))!, 'application/octet-stream', request, response);
      return;
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(seen.path);
    if (api !== null) {
      const [, id, what, revision] = api as unknown as [string, string, string, string];
      const repository = this.#repositories.get(id);
      if (repository === undefined) return refuse(response, 401, 'RepoNotFound', 'Repository not found');
      const commit = repository.refs[revision] ?? revision;
      const files = repository.commits.get(commit);
      if (files === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
      if (what === 'revision') {
        const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
        return json(response, {
          _id: '1',
          id,
          sha: commit,
          private: false,
          gated: false,
          lastModified: '2026-01-01T00:00:00.000Z',
          siblings,
        });
      }
      const all = Object.entries(files).map(([name, content]) => treeEntry(name, content));
      const from = Number(url.searchParams.get('cursor') ?? 0);
      url.searchParams.set('cursor', String(from + PAGE));
      return json(response, all.slice(from, from + PAGE), {
        ...(from + PAGE < all.length && { link: `<${url.href}>; rel="next"` }),
      });
    }
    if (seen.path === '/api/models') {
      const words = (url.searchParams.get('search') ?? '').toLowerCase();
      const author = url.searchParams.get('author');
      const found = [...this.#repositories.keys()].filter(
        (id) => id.toLowerCase().includes(words) && (author === null || id.startsWith(`${author}/`)),
      );
      return json(
        response,
        found.map((id) => ({ _id: '1', id, private: false, lastModified: '2026-01-01T00:00:00.000Z' })),
      );
    }
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(seen.path);
    const [, id = '', revision = '', name = ''] = resolve ?? [];
    const repository = this.#repositories.get(id);
    const commit = repository?.refs[revision] ?? revision;
    const content = repository?.commits.get(commit)?.[name];
    if (repository === undefined) return refuse(response, 401, 'RepoNotFound', 'Repository not found');
    if (content === undefined)
      return refuse(response, 404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': commit });
    const entry = treeEntry(name, content);
    response.setHeader('x-repo-commit', commit);
    if (entry.lfs === undefined) {
      response.setHeader('etag', `"${entry.oid}"`);
      return this.#send(content, 'text/plain; charset=utf-8', request, response);
    }
    response.setHeader('x-linked-size', String(content.length));
    response.setHeader('x-linked-etag', `"${entry.lfs.oid}"`);
    response.setHeader('location', `${this.cdn}/${entry.lfs.oid}`);
    response.writeHead(302);
    response.end();
  }

  #content(sha256: string): Buffer | undefined {
    for (const { commits } of this.#repositories.values()) {
      for (const files of commits.values()) {
        for (const content of Object.values(files)) if (digest(content) === sha256) return content;
      }
    }
    return undefined;
  }

  async #send(content: Buffer, type: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    if (start > 0 && start >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` });
      response.end();
      return;
    }
    const end = last === undefined || last === '' ? content.length - 1 : Math.min(Number(last), content.length - 1);
    const body = content.subarray(start, end + 1);
    response.writeHead(first === undefined ? 200 : 206, {
      'content-type': type,
      'content-length': body.length,
      'accept-ranges': 'bytes',
      ...(first !== undefined && { 'content-range': `bytes ${start}-${end}/${content.length}` }),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    await this.trickle(response, body);
    response.end();
  }

  /** Writes at `rate`. */
  async trickle(response: ServerResponse, body: Buffer): Promise<void> {
    const step = this.rate === undefined ? body.length : Math.ceil(this.rate / 50);
    for (let at = 0; at < body.length && !response.destroyed; at += step) {
      response.write(body.subarray(at, at + step));
      if (this.rate !== undefined) await sleep(20);
    }
  }
}

/** An entry of the list of files, as the Hub gives it. */
export function treeEntry(name: string, content: Buffer): TreeEntry {
  const isLfs = content.length >= LFS_FROM;
  const sha256 = digest(content);
  const pointer = Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.length}\n`,
  );
  return {
    type: 'file',
    path: name,
    size: content.length,
    oid: gitHash(isLfs ? pointer : content),
    ...(isLfs && { lfs: { oid: sha256, size: content.length, pointerSize: pointer.length } }),
  };
}

export interface TreeEntry {
  type: string;
  path: string;
  size: number;
  oid: string;
  lfs?: { oid: string; size: number; pointerSize: number };
}

const digests = new WeakMap<Buffer, string>();

export function digest(content: Buffer): string {
  const known = digests.get(content) ?? createHash('sha256').update(content).digest('hex');
  digests.set(content, known);
  return known;
}

function gitHash(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

export function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(value));
}

/** An answer as the Hub words its refusals. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  error: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-error-code': code,
    'x-error-message': error,
    ...headers,
  });
  response.end(JSON.stringify({ error }));
}

/** A fault for the first `times` requests whose path matches, at the host that sends contents of this size. */
export function once(match: RegExp, fault: Fault, times = 1): Fault {
  return (request, response, seen) => {
    if (times <= 0 || !match.test(seen.path)) return false;
    times--;
    return fault(request, response, seen);
  };
}

/** Every file of the embedded model, as a repository. */
export function pocketFiles(): Files {
  const folder = path.resolve(import.meta.dirname, '../../models/pocket');
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = path.join(entry.parentPath, entry.name);
        return [path.relative(folder, file).split(path.sep).join('/'), readFileSync(file)];
      }),
  );
}
