import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock as acquire } from 'proper-lockfile';
import { AbortError } from '../errors.ts';
import { throwIfStopped } from './request.ts';

/** A lock whose holder has not renewed it for this long, in ms, is nobody's: its process ended without a word. */
export const STALE_MS = 10_000;
/** How often who waits looks, in ms. */
const LOOK_MS = 250;

/**
 * Does something that only one process may do at a time, on systems and network disks alike.
 * @param file the lock: a path that is nothing else's
 * @param whileWaiting called each time the lock was found held by another
 * @param work its signal is aborted with `signal`, and when the lock is lost (a process that slept for long)
 * @throws AbortError once `signal` is aborted
 */
export async function withLock<T>(
  file: string,
  signal: AbortSignal,
  whileWaiting: () => Promise<void>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  for (;;) {
    throwIfStopped(signal);
    const lost = new AbortController();
    const release = await acquire(file, {
      lockfilePath: file,
      realpath: false,
      stale: STALE_MS,
      update: STALE_MS / 4,
      onCompromised: () => lost.abort(),
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ELOCKED') return undefined;
      throw error;
    });
    if (release === undefined) {
      await whileWaiting();
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {
        throw new AbortError();
      });
      continue;
    }
    try {
      return await work(AbortSignal.any([signal, lost.signal]));
    } catch (error) {
      // Another process has taken over: wait for it like everyone else.
      if (lost.signal.aborted && !signal.aborted) continue;
      throw error;
    } finally {
      await release().catch(() => undefined);
    }
  }
}
