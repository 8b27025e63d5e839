import { listFiles, modelInfo } from '@huggingface/hub';
import { z } from 'zod';
import { AbortError, LensError } from '../errors.ts';
import { checkId, checkRevision, isSafePath } from './repository.ts';
import { patientFetch } from './request.ts';
import type { HubSettings } from './settings.ts';

/** How a file's content is checked: LFS files by SHA-256, the others by git's SHA-1 of a blob. */
export type Checksum = 'sha256' | 'git-sha1';

/** One file of a repository, as the Hub lists it. */
export interface RemoteFile {
  /** Relative to the repository, with forward slashes; safe on every system. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** The checksum, hexadecimal, which is also the name of its blob in the cache. */
  readonly etag: string;
  readonly checksum: Checksum;
}

/** A repository at one commit. */
export interface Listing {
  readonly id: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

const Commit = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const size = z.number().int().nonnegative();
const Entry = z.object({
  type: z.string(),
  path: z.string(),
  size,
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).optional(),
});

/** No repository of a model has more; a listing without end must not fill the memory. */
const MOST_FILES = 100_000;

/**
 * What a repository holds at a revision. Files whose names would leave their folder are left out: nobody asks for them, and
 * nobody shall get them.
 * @throws LensError for whatever the Hub or the network refuses, and for a listing that is none
 */
export async function remoteListing(
  id: string,
  revision: string,
  settings: HubSettings,
  signal?: AbortSignal,
): Promise<Listing> {
  checkId(id);
  checkRevision(revision);
  const hub = { hubUrl: settings.endpoint, fetch: patientFetch({ id, revision }, settings, signal) };
  try {
    return await listed(id, revision, hub);
  } catch (error) {
    if (error instanceof LensError || error instanceof AbortError) throw error;
    // JSON of another shape than the library expects.
    throw malformed(id, (error as Error).message);
  }
}

async function listed(id: string, revision: string, hub: { hubUrl: string; fetch: typeof fetch }): Promise<Listing> {
  const info = Commit.safeParse(await modelInfo({ name: id, revision, additionalFields: ['sha'], ...hub }));
  if (!info.success) throw malformed(id, 'it names no commit');
  const commit = info.data.sha;
  const files: RemoteFile[] = [];
  for await (const item of listFiles({
    repo: { type: 'model', name: id },
    recursive: true,
    revision: commit,
    ...hub,
  })) {
    const entry = Entry.safeParse(item);
    if (!entry.success) throw malformed(id, entry.error.issues.map(({ message }) => message).join('; '));
    const { type, path, oid, lfs } = entry.data;
    if (type !== 'file' || !isSafePath(path)) continue;
    files.push(
      lfs === undefined
        ? { path, size: entry.data.size, etag: oid, checksum: 'git-sha1' }
        : { path, size: lfs.size, etag: lfs.oid, checksum: 'sha256' },
    );
    if (files.length > MOST_FILES) throw malformed(id, `it has more than ${MOST_FILES} files`);
  }
  return { id, commit, files };
}

/** Where one file of a listing is downloaded from. */
export function fileUrl({ id, commit }: Listing, file: RemoteFile, { endpoint }: HubSettings): string {
  return `${endpoint}/${id}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
}

function malformed(id: string, why: string): LensError {
  return new LensError(
    `the list of files of ${id} is not as expected: ${why}`,
    'HF_ENDPOINT may point to something that is not a Hub',
  );
}
