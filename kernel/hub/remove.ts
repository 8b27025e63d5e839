import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { check } from 'proper-lockfile';
import { LensError } from '../errors.ts';
import { didYouMean } from '../nearest.ts';
import { cachedIds, cachedModel } from './cached.ts';
import type { CachedFile, CachedModel, CachedRevision } from './cached.ts';
import { STALE_MS } from './lock.ts';
import { locksFolder } from './repository.ts';
import { hubSettings } from './settings.ts';
import type { HubSettings } from './settings.ts';

/** What a removal would free, or has freed. */
export interface Removal {
  readonly model: CachedModel;
  /** The revisions that go. */
  readonly revisions: readonly CachedRevision[];
  /** Whether nothing of the model stays. */
  readonly isAll: boolean;
  /** Bytes on disk that no other revision shares. */
  readonly frees: number;
}

/**
 * What removing a model, or one revision of it, comes to; removes nothing.
 * @param revision a branch, a tag, or the beginning of a commit hash; by default all revisions
 * @throws LensError where the cache has no such model or revision
 */
export async function plannedRemoval(
  id: string,
  { revision }: { readonly revision?: string | undefined } = {},
  settings: HubSettings = hubSettings(),
): Promise<Removal> {
  const model = await cachedModel(id, settings);
  if (model === undefined) {
    const ids = await cachedIds(settings);
    throw new LensError(
      `${id} is not in the cache (${settings.cache})`,
      ids.length === 0 ? 'The cache is empty' : didYouMean(id, ids, 'models'),
    );
  }
  if (revision === undefined) {
    return { model, revisions: model.revisions, isAll: true, frees: model.size + model.unfinished };
  }
  const revisions = model.revisions.filter(
    ({ commit, refs }) => refs.includes(revision) || (revision.length >= 5 && commit.startsWith(revision)),
  );
  if (revisions.length !== 1) {
    const known = model.revisions.map(({ commit, refs }) => [...refs, commit.slice(0, 12)].join(' = ')).join(', ');
    throw new LensError(
      `the cache has ${revisions.length === 0 ? 'no' : 'more than one'} revision "${revision}" of ${id}`,
      `It has ${known || 'none'}`,
    );
  }
  const isAll = model.revisions.length === 1;
  const own = notShared(model, revisions);
  const frees = isAll ? model.size + model.unfinished : [...own.values()].reduce((sum, size) => sum + size, 0);
  return { model, revisions, isAll, frees };
}

/**
 * Removes a model, or one revision of it, from the cache; blobs that other revisions use stay.
 * @throws LensError where the cache has no such model or revision, or another process is downloading it
 */
export async function removeModel(
  id: string,
  options: { readonly revision?: string | undefined } = {},
  settings: HubSettings = hubSettings(),
): Promise<Removal> {
  const removal = await plannedRemoval(id, options, settings);
  const { model, revisions, isAll } = removal;
  await checkIdle(id, settings);
  if (isAll) {
    await rm(model.folder, { recursive: true, force: true });
    await rm(locksFolder(settings, id), { recursive: true, force: true });
    return removal;
  }
  for (const { folder, refs } of revisions) {
    // References first: what they name is whole until then.
    for (const ref of refs) await rm(path.join(model.folder, 'refs', ...ref.split('/')), { force: true });
    await rm(folder, { recursive: true, force: true });
  }
  const blobs = path.join(model.folder, 'blobs');
  const kept = new Set(
    model.revisions.filter((each) => !revisions.includes(each)).flatMap(({ files }) => files.map(({ blob }) => blob)),
  );
  const own = notShared(model, revisions);
  for (const name of await readdir(blobs).catch(() => [])) {
    const blob = path.join(blobs, name);
    if (own.has(blob) && !kept.has(blob)) await rm(blob, { force: true });
  }
  return removal;
}

/** Blobs, with their sizes, that only these revisions of a model use. */
function notShared(model: CachedModel, revisions: readonly CachedRevision[]): Map<string, number> {
  const blobs = (of: readonly CachedRevision[]) => of.flatMap(({ files }): readonly CachedFile[] => files);
  const own = new Map(blobs(revisions).map(({ blob, size }) => [blob, size]));
  for (const { blob } of blobs(model.revisions.filter((each) => !revisions.includes(each)))) own.delete(blob);
  return own;
}

async function checkIdle(id: string, settings: HubSettings): Promise<void> {
  const folder = locksFolder(settings, id);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.lvlm-lens.lock')) continue;
    const lockfilePath = path.join(folder, name);
    if (await check(lockfilePath, { lockfilePath, realpath: false, stale: STALE_MS })) {
      throw new LensError(`${id} is being downloaded by another process`, 'Stop it first, or wait until it is done');
    }
  }
}
