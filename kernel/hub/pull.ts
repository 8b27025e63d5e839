import { mkdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import { AbortError, LensError } from '../errors.ts';
import { findCached } from './cached.ts';
import { checkDtype, chosenGraphs, graphFiles } from './dtype.ts';
import type { DtypeChoice } from './dtype.ts';
import { diskError, downloadBlob, fullDisk, incompleteFile, isDiskError, sizeOf } from './download.ts';
import { remoteListing } from './listing.ts';
import type { Listing, RemoteFile } from './listing.ts';
import { absentNeeds, sideFiles } from './needed.ts';
import { PullMeter } from './pull-progress.ts';
import type { PullProgress } from './pull-progress.ts';
import { offlineError } from './refusal.ts';
import { checkId, isCommit, repositoryFolder } from './repository.ts';
import { throwIfStopped } from './request.ts';
import { hubSettings } from './settings.ts';
import type { HubSettings } from './settings.ts';
import { isInSnapshot, putInSnapshot, writeRef } from './snapshot.ts';

export interface PullOptions {
  /** One data type for all graphs, or one for each. Default: see `DEFAULTS` in dtype.ts. */
  readonly dtype?: DtypeChoice | undefined;
  /** A branch, a tag or a commit hash. Default 'main'. */
  readonly revision?: string | undefined;
  /** Aborts with `AbortError`; what has arrived is kept, and the next pull goes on from there. */
  readonly signal?: AbortSignal | undefined;
  /** Told of bytes, rate and time left, of each file and of the whole. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** Files that are downloaded at the same time. */
const AT_ONCE = 3;

/**
 * Brings a model from the Hub into the cache that it shares with Python's huggingface_hub, as far as it is not there: the files
 * that describe it and its graphs in one data type each. Asks the Hub what the revision means now; without a network, what is in the
 * cache serves. The branch or tag points to the new commit only when all of it is there.
 * @param id 'org/name'
 * @returns the snapshot's folder, which `loadModel` takes
 * @throws LensError for whatever the Hub, the network or the disk refuses
 * @throws AbortError once `signal` is aborted
 */
export async function pullModel(
  id: string,
  options: PullOptions = {},
  settings: HubSettings = hubSettings(),
): Promise<string> {
  const { dtype, revision, signal = new AbortController().signal } = options;
  checkId(id);
  checkDtype(dtype);
  throwIfStopped(signal);
  const cached = await findCached(id, { revision, dtype }, settings);
  const isWhole = cached?.missing.length === 0;
  // A commit never changes, and the same files in another data type are a matter of the listing.
  if (isWhole && (settings.offline || (revision !== undefined && isCommit(revision)))) return cached.folder;
  if (settings.offline) throw offlineError(id, cached?.missing, settings);
  try {
    const listing = await remoteListing(id, revision ?? 'main', settings, signal);
    return await pullListing(listing, options, signal, settings);
  } catch (error) {
    if (isDiskError(error)) throw diskError(error, 0, error.path ?? settings.cache);
    throw error;
  }
}

async function pullListing(
  listing: Listing,
  { dtype, revision = 'main', onProgress = () => undefined }: PullOptions,
  signal: AbortSignal,
  settings: HubSettings,
): Promise<string> {
  const { id, commit } = listing;
  const files = wantedFiles(listing, dtype);
  const repository = repositoryFolder(settings, id);
  const snapshot = path.join(repository, 'snapshots', commit);
  await mkdir(snapshot, { recursive: true });
  const absent = await Promise.all(files.map(async ({ path, size }) => !(await isInSnapshot(snapshot, path, size))));
  const missing = files.filter((_file, i) => absent[i]);
  await checkRoom(missing, repository);
  const meter = new PullMeter(`downloading ${id}`, missing, onProgress);
  await inParallel(missing, signal, async (file, index, alive) => {
    const blob = await downloadBlob(listing, file, settings, alive, (bytes) => meter.report(index, bytes));
    await putInSnapshot(snapshot, file.path, blob, settings);
  });
  if (revision !== commit) await writeRef(repository, revision, commit);
  return snapshot;
}

/** What a pull brings: small files first, so that what is wrong with a model shows before the gigabytes. */
export function wantedFiles(listing: Listing, dtype: DtypeChoice | undefined): RemoteFile[] {
  const { id, files } = listing;
  const graphs = chosenGraphs(graphFiles(files), dtype, id);
  const absent = absentNeeds(files);
  if (absent.length > 0) {
    throw new LensError(
      `${id} has no ${absent.join(', ')}`,
      'It is not a whole model in the Hugging Face layout; look for another version of it, for instance of onnx-community',
    );
  }
  return [...sideFiles(files), ...graphs.flatMap((graph) => graph.files)].sort((a, b) => a.size - b.size);
}

/** @throws LensError where the disk cannot hold what is missing */
async function checkRoom(missing: readonly RemoteFile[], repository: string): Promise<void> {
  let needed = 0;
  for (const { etag, size } of missing) {
    const blob = path.join(repository, 'blobs', etag);
    needed += size - ((await sizeOf(blob)) ?? (await sizeOf(incompleteFile(blob))) ?? 0);
  }
  const disk = await statfs(repository).catch(() => undefined);
  // Some network disks answer with zeros.
  if (disk !== undefined && disk.blocks > 0 && disk.bavail * disk.bsize < needed) {
    throw fullDisk(needed - disk.bavail * disk.bsize, repository);
  }
}

/** Does `work` for each, a few at a time; the first failure stops the others. */
async function inParallel<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const alive = AbortSignal.any([signal, failure.signal]);
  let next = 0;
  let first: unknown;
  const worker = async () => {
    while (next < items.length && !alive.aborted) {
      const index = next++;
      try {
        await work(items[index]!, index, alive);
      } catch (error) {
        if (!failure.signal.aborted) first = error;
        failure.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (signal.aborted) throw new AbortError();
  if (failure.signal.aborted) throw first;
}
