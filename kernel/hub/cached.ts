import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { graphFiles } from './dtype.ts';
import type { Dtype, DtypeChoice, GraphFiles, SizedFile } from './dtype.ts';
import { externalDataFiles } from './external-data.ts';
import { absentNeeds } from './needed.ts';
import { checkRevision, idOfRepositoryFolder, isCommit, repositoryFolder } from './repository.ts';
import { hubSettings } from './settings.ts';
import type { HubSettings } from './settings.ts';
import { GRAPHS } from '../model/files.ts';
import type { GraphName } from '../model/files.ts';

/*
 * `scanCacheDir` of @huggingface/hub does not look into the folders of a snapshot, where the graphs are, and gives up on repositories
 * without refs/, which Python leaves where a commit was asked for by its hash: so the cache is read here.
 */

/** A file of a snapshot; `blob` is where its content really is. */
export interface CachedFile extends SizedFile {
  readonly blob: string;
}

/** A model at one commit, as far as it is in the cache. */
export interface CachedRevision {
  readonly commit: string;
  /** Branches and tags that meant this commit when they were last asked for. */
  readonly refs: readonly string[];
  /** The snapshot: what `loadModel` takes. */
  readonly folder: string;
  readonly files: readonly CachedFile[];
  /** Of all its files together, in bytes. */
  readonly size: number;
  readonly graphs: readonly GraphFiles<CachedFile>[];
  /** What is missing before it can be loaded; empty where nothing is. */
  readonly missing: readonly string[];
}

/** A vision-language model in the cache. */
export interface CachedModel {
  readonly id: string;
  /** `models--org--name` */
  readonly folder: string;
  /** On disk, in bytes: what revisions share counts once. */
  readonly size: number;
  /** Of downloads that are not finished, in bytes. */
  readonly unfinished: number;
  readonly revisions: readonly CachedRevision[];
}

/** The models in the cache that have at least one graph of a vision-language model, or a download of ours begun, by name. */
export async function cachedModels(settings: HubSettings = hubSettings()): Promise<CachedModel[]> {
  const models = await Promise.all((await cachedIds(settings)).map((id) => cachedModel(id, settings)));
  return models.filter(
    (model): model is CachedModel =>
      model !== undefined && (model.revisions.some(({ graphs }) => graphs.length > 0) || model.unfinished > 0),
  );
}

/** Names of all models in the cache, of whatever kind. */
export async function cachedIds({ cache }: Pick<HubSettings, 'cache'>): Promise<string[]> {
  return (await names(cache)).flatMap((name) => idOfRepositoryFolder(name) ?? []).sort();
}

/** What the cache holds of one model of whatever kind; undefined where nothing. */
export async function cachedModel(
  id: string,
  settings: Pick<HubSettings, 'cache'> = hubSettings(),
): Promise<CachedModel | undefined> {
  const folder = repositoryFolder(settings, id);
  if (!(await isFolder(folder))) return undefined;
  const refs = await refsOf(path.join(folder, 'refs'));
  const revisions: CachedRevision[] = [];
  for (const commit of await names(path.join(folder, 'snapshots'))) {
    const snapshot = path.join(folder, 'snapshots', commit);
    if (!isCommit(commit) || !(await isFolder(snapshot))) continue;
    revisions.push(await revisionIn(snapshot, commit, refs));
  }
  const blobs = new Map<string, number>();
  for (const { files } of revisions) for (const { blob, size } of files) blobs.set(blob, size);
  let unfinished = 0;
  for (const name of await names(path.join(folder, 'blobs'))) {
    if (name.endsWith('.incomplete')) unfinished += (await sizeIfThere(path.join(folder, 'blobs', name))) ?? 0;
  }
  const size = [...blobs.values()].reduce((sum, each) => sum + each, 0);
  return { id, folder, size, unfinished, revisions };
}

async function revisionIn(
  snapshot: string,
  commit: string,
  refs: ReadonlyMap<string, string>,
): Promise<CachedRevision> {
  const files = await filesIn(snapshot);
  const graphs = graphFiles(files);
  return {
    commit,
    refs: [...refs].filter(([, meant]) => meant === commit).map(([ref]) => ref),
    folder: snapshot,
    files,
    size: files.reduce((sum, { size }) => sum + size, 0),
    graphs,
    missing: await missingOf(snapshot, files, graphs, undefined),
  };
}

/** A model that is in the cache, or what of it is not. */
export interface Found {
  readonly folder: string;
  readonly commit: string;
  readonly missing: readonly string[];
}

/**
 * Looks a model up without a network.
 * @param revision a branch, tag or commit; by default main or, where that was never asked for, whatever revision is complete
 * @param dtype which must be there; by default any
 */
export async function findCached(
  id: string,
  { revision, dtype }: { readonly revision?: string | undefined; readonly dtype?: DtypeChoice | undefined },
  settings: Pick<HubSettings, 'cache'>,
): Promise<Found | undefined> {
  const repository = repositoryFolder(settings, id);
  const commits = await commitsOf(repository, revision);
  const found: Found[] = [];
  for (const commit of commits) {
    const folder = path.join(repository, 'snapshots', commit);
    if (!(await isFolder(folder))) continue;
    const files = await filesIn(folder);
    found.push({ folder, commit, missing: await missingOf(folder, files, graphFiles(files), dtype) });
  }
  return found.find(({ missing }) => missing.length === 0) ?? found[0];
}

async function commitsOf(repository: string, revision: string | undefined): Promise<string[]> {
  if (revision !== undefined) checkRevision(revision);
  if (revision !== undefined && isCommit(revision)) return [revision];
  const meant = await readText(path.join(repository, 'refs', ...(revision ?? 'main').split('/')));
  if (meant !== undefined && isCommit(meant)) return [meant];
  return revision === undefined ? (await names(path.join(repository, 'snapshots'))).filter(isCommit) : [];
}

async function missingOf(
  folder: string,
  files: readonly CachedFile[],
  graphs: readonly GraphFiles<CachedFile>[],
  dtype: DtypeChoice | undefined,
): Promise<string[]> {
  const missing = absentNeeds(files);
  for (const graph of GRAPHS) {
    const wanted = typeof dtype === 'string' ? dtype : dtype?.[graph];
    const forms = graphs.filter((each) => each.graph === graph && (wanted === undefined || each.dtype === wanted));
    if (forms.length === 0) {
      missing.push(wanted === undefined ? graph : `${graph} (${wanted})`);
      continue;
    }
    const parts = await Promise.all(forms.map((form) => absentParts(folder, form)));
    // One form that is whole is enough.
    if (parts.every((absent) => absent.length > 0)) missing.push(...parts[0]!);
  }
  return missing;
}

async function absentParts(folder: string, { files }: GraphFiles<CachedFile>): Promise<string[]> {
  const parts = await externalDataFiles(path.join(folder, files[0]!.path));
  const absent: string[] = [];
  for (const part of parts) {
    if ((await sizeIfThere(part)) === undefined) absent.push(path.relative(folder, part).split(path.sep).join('/'));
  }
  return absent;
}

/** The data type of each graph that the loader would take from a revision, for lists. */
export function dtypesOf({ graphs }: Pick<CachedRevision, 'graphs'>): Map<GraphName, Dtype[]> {
  return new Map(
    GRAPHS.map((graph) => [graph, graphs.filter((each) => each.graph === graph).map(({ dtype }) => dtype)]),
  );
}

/** Every file below a folder, links followed, with forward slashes in its path. */
export async function filesIn(folder: string, below = ''): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  for (const entry of await readdir(path.join(folder, below), { withFileTypes: true }).catch(() => [])) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    const full = path.join(folder, ...name.split('/'));
    if (entry.isDirectory()) {
      files.push(...(await filesIn(folder, name)));
    } else if (!entry.name.endsWith('.incomplete')) {
      // A link whose blob was deleted is no file.
      const size = await sizeIfThere(full);
      if (size !== undefined) files.push({ path: name, size, blob: await realpath(full) });
    }
  }
  return files;
}

async function refsOf(folder: string, below = ''): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const entry of await readdir(path.join(folder, below), { withFileTypes: true }).catch(() => [])) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      for (const [ref, commit] of await refsOf(folder, name)) refs.set(ref, commit);
    } else if (!name.endsWith('.incomplete')) {
      const commit = await readText(path.join(folder, name));
      if (commit !== undefined) refs.set(name, commit);
    }
  }
  return refs;
}

async function readText(file: string): Promise<string | undefined> {
  return (await readFile(file, 'utf8').catch(() => undefined))?.trim();
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function isFolder(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
}

async function sizeIfThere(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}
