import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sizeOf } from './download.ts';
import { isSafePath } from './repository.ts';
import type { HubSettings } from './settings.ts';

/**
 * Makes a blob appear under its name in a snapshot: by a relative symbolic link as huggingface_hub makes it, and where the system
 * refuses those (Windows without developer mode) by a hard link or a copy. Readers see the old file or the new one, never none.
 * @param file its path in the repository, with forward slashes
 */
export async function putInSnapshot(
  snapshot: string,
  file: string,
  blob: string,
  { copies }: Pick<HubSettings, 'copies'>,
): Promise<void> {
  // The listing was checked; what writes files checks for itself.
  if (!isSafePath(file)) throw new Error(`unsafe path in a repository: ${file}`);
  const target = path.join(snapshot, ...file.split('/'));
  const relative = path.relative(path.dirname(target), blob);
  if (!copies && (await readlink(target).catch(() => undefined)) === relative) return;
  await mkdir(path.dirname(target), { recursive: true });
  const made = `${target}.${randomUUID().slice(0, 8)}.incomplete`;
  try {
    if (copies) await copyFile(blob, made);
    else
      await symlink(relative, made, 'file')
        .catch(() => link(blob, made))
        .catch(() => copyFile(blob, made));
    await rename(made, target);
  } finally {
    await rm(made, { force: true });
  }
}

/** Whether a snapshot holds a file of this size, however it came there. */
export async function isInSnapshot(snapshot: string, file: string, size: number): Promise<boolean> {
  return (await sizeOf(path.join(snapshot, ...file.split('/')))) === size;
}

/** Writes `refs/<revision>`: which commit a branch or tag meant when it was last asked for. */
export async function writeRef(repository: string, revision: string, commit: string): Promise<void> {
  if (!isSafePath(revision)) throw new Error(`unsafe revision: ${revision}`);
  const file = path.join(repository, 'refs', ...revision.split('/'));
  // A cache that is only read may be current all the same.
  if ((await readFile(file, 'utf8').catch(() => undefined)) === commit) return;
  const made = `${file}.${randomUUID().slice(0, 8)}.incomplete`;
  await mkdir(path.dirname(file), { recursive: true });
  try {
    await writeFile(made, commit);
    await rename(made, file);
  } finally {
    await rm(made, { force: true });
  }
}
