import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LRUCache } from 'lru-cache';
import { folderOfAll, serialise } from '../onnx/index.ts';
import type { Graph } from '../onnx/index.ts';
import { cacheFolder } from './cache-folder.ts';
import { fileHash, writeWhole } from './provenance.ts';
import { buildAnswerAttentionGraph, buildAttentionGraph } from './attention-graph.ts';
import { buildScoreGraph, shapeKey } from './score-graph.ts';
import type { Reading, ScoreShape, ScoreSources } from './score-graph.ts';
import { LEAN_FROM_BYTES, Session } from './session.ts';
import type { Tensors } from './session.ts';
import { buildTokenLogitsGraph } from './token-logits-graph.ts';
import { buildTokenPlacesGraph } from './token-places-graph.ts';
import { buildVisionLayerGraph } from './vision-layer-graph.ts';
import { weightBytes } from './weight-bytes.ts';

const BUILDERS: Readonly<Record<'score' | Reading, (sources: ScoreSources, shape: ScoreShape) => Graph>> = {
  score: buildScoreGraph,
  'answer-attention': buildAnswerAttentionGraph,
  attention: buildAttentionGraph,
  'token-logits': buildTokenLogitsGraph,
  'token-places': buildTokenPlacesGraph,
  'vision-layer': buildVisionLayerGraph,
};

/** How many score graphs stay open, at most. */
const KEPT = 12;

/**
 * The score graphs of one model: built once for each shape, kept on disk by the content of everything that they are made
 * of, and in memory until they are among the least recently used or too large together.
 */
export class ScoreSessions {
  readonly #sources: ScoreSources;
  readonly #open: LRUCache<string, OpenGraph>;
  readonly #lean: boolean;
  #contents: Promise<string> | undefined;

  constructor(sources: ScoreSources) {
    this.#sources = sources;
    const bytes = Object.values(sources).reduce((sum, file) => sum + weightBytes(file), 1);
    this.#lean = bytes >= LEAN_FROM_BYTES;
    this.#open = new LRUCache<string, OpenGraph>({
      max: KEPT,
      // Each session may hold the weights once; together they get a quarter of the memory, and one always fits.
      maxSize: Math.max(os.totalmem() / 4, bytes),
      sizeCalculation: () => bytes,
      dispose: (graph) => graph.drop(),
    });
  }

  /** Runs the graph of a shape. */
  run(shape: ScoreShape, feeds: Tensors): Promise<Tensors> {
    const key = shapeKey(shape);
    let graph = this.#open.get(key);
    if (graph === undefined) {
      graph = new OpenGraph(this.#session(shape));
      this.#open.set(key, graph);
      graph.failed.then(
        () => undefined,
        () => this.#open.delete(key),
      );
    }
    return graph.run(feeds);
  }

  release(): void {
    this.#open.clear();
  }

  async #session(shape: ScoreShape): Promise<Session> {
    const folder = realFolder(this.#sources);
    const options = { label: 'the score graph', dataFolder: folder, lean: this.#lean };
    this.#contents ??= contentsHash(this.#sources, folder);
    const key = createHash('sha256')
      .update(`${await this.#contents}${shapeKey(shape)}`)
      .digest('hex');
    const file = path.join(cacheFolder(), 'graphs', `${key}.onnx`);
    const kept = await readFile(file).catch(() => undefined);
    if (kept !== undefined) {
      const session = await Session.open(kept, options).catch(() => undefined);
      if (session !== undefined) return session;
      // A damaged file in the cache is written again.
    }
    const bytes = serialise(BUILDERS[shape.reads ?? 'score'](this.#sources, shape), folder);
    await writeWhole(file, bytes);
    return Session.open(bytes, options);
  }
}

/** A session that is released when nobody uses it any more. */
class OpenGraph {
  /** Rejects where the session could not be opened. */
  readonly failed: Promise<unknown>;
  readonly #session: Promise<Session>;
  #users = 0;
  #dropped = false;

  constructor(session: Promise<Session>) {
    this.#session = session;
    this.failed = session;
  }

  async run(feeds: Tensors): Promise<Tensors> {
    this.#users++;
    try {
      return await (await this.#session).run(feeds);
    } finally {
      this.#users--;
      this.#releaseIfUnused();
    }
  }

  drop(): void {
    this.#dropped = true;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (!this.#dropped || this.#users > 0) return;
    void this.#session.then((session) => session.release()).catch(() => undefined);
  }
}

/** Hash of what a graph is made of: the source graphs' bytes, how their files are called in the folder, and the code that composes them. */
async function contentsHash(sources: ScoreSources, folder: string): Promise<string> {
  const hash = createHash('sha256').update(codeHash());
  for (const file of Object.values(sources)) {
    hash.update(await fileHash(file));
    hash.update(path.relative(folder, realpathSync(file)));
  }
  return hash.digest('hex');
}

/** Hash of the code that composes graphs, so that no graph outlives a change of it: the bundle, or the source folders. */
function codeHash(): string {
  const here = fileURLToPath(import.meta.url);
  const hash = createHash('sha256');
  if (!here.endsWith('.ts')) return hash.update(readFileSync(here)).digest('hex');
  for (const room of ['onnx', 'autodiff', 'model']) {
    const folder = path.join(path.dirname(here), '..', room);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    for (const name of files.sort()) hash.update(name).update(readFileSync(path.join(folder, name)));
  }
  return hash.digest('hex');
}

/** The folder in which the source graphs and the weights beside them really lie: in the Hub's cache all are links to blobs. */
function realFolder(sources: ScoreSources): string {
  const files = Object.values(sources).flatMap((file) => {
    const { dir, base } = path.parse(file);
    return readdirSync(dir)
      .filter((name) => name.startsWith(base))
      .map((name) => realpathSync(path.join(dir, name)));
  });
  return folderOfAll(files)!;
}
