import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open as openFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { AbortError, LensError } from '../errors.ts';
import { startChecksum } from './checksum.ts';
import { fileSize } from './file-size.ts';
import { fileUrl } from './listing.ts';
import type { Listing, RemoteFile } from './listing.ts';
import { withLock } from './lock.ts';
import { networkError } from './refusal.ts';
import type { Asked } from './refusal.ts';
import { locksFolder, repositoryFolder } from './repository.ts';
import { failed, open, throwIfStopped, TRIES, waitFor } from './request.ts';
import type { HubSettings } from './settings.ts';

/** Told how many bytes of a file are there, on disk or received. */
export type OnBytes = (bytes: number) => void;

/** What the download of one file needs. */
interface Job {
  readonly listing: Listing;
  readonly file: RemoteFile;
  readonly settings: HubSettings;
  readonly signal: AbortSignal;
  readonly onBytes: OnBytes;
  /** Where the part that is there lies until all is. */
  readonly incomplete: string;
}

/**
 * Where the part of a blob that has arrived lies. Not `<etag>.incomplete`, which older versions of huggingface_hub append to while they
 * hold a lock that Node cannot see.
 */
export function incompleteFile(blob: string): string {
  return `${blob}.lvlm-lens.incomplete`;
}

/**
 * Brings a file into `blobs/`, unless it is there: goes on where an earlier download ended, checks size and checksum, and only
 * then gives it the name by which it is found. Of several processes one downloads and the others wait.
 * @returns the blob's path
 * @throws LensError for what the Hub, the network or the disk refuses, and for content that is not what the Hub announced
 * @throws AbortError once `signal` is aborted; what has arrived is kept for the next time
 */
export async function downloadBlob(
  listing: Listing,
  file: RemoteFile,
  settings: HubSettings,
  signal: AbortSignal,
  onBytes: OnBytes,
): Promise<string> {
  const blob = path.join(repositoryFolder(settings, listing.id), 'blobs', file.etag);
  const incomplete = incompleteFile(blob);
  const isThere = async () => (await sizeOf(blob)) === file.size;
  if (!(await isThere())) {
    await mkdir(path.dirname(blob), { recursive: true });
    const lock = path.join(locksFolder(settings, listing.id), `${file.etag}.lvlm-lens.lock`);
    const whileWaiting = async () => onBytes(Math.min(file.size, (await sizeOf(incomplete)) ?? 0));
    await withLock(lock, signal, whileWaiting, async (held) => {
      // Another process may have been quicker.
      if (await isThere()) return;
      await fill({ listing, file, settings, signal: held, onBytes, incomplete });
      await rename(incomplete, blob);
    });
  }
  onBytes(file.size);
  return blob;
}

/** Downloads until the incomplete file is whole and right. */
async function fill(job: Job): Promise<void> {
  const { file, incomplete } = job;
  // What was kept from an earlier time may be what is wrong: then all is fetched again, once.
  for (let again = false; ; again = true) {
    const part = await kept(job);
    const isAfresh = part.length === 0;
    try {
      await receive(job, part);
      if (part.hash.digest('hex') === file.etag) {
        await part.handle.sync();
        return;
      }
    } finally {
      await part.handle.close();
    }
    await rm(incomplete, { force: true });
    if (isAfresh || again) throw wrongContent(job);
  }
}

/** What is there of a file. It is written by position, so that no two writers ever shift each other's bytes. */
interface Part {
  handle: FileHandle;
  /** Bytes. */
  length: number;
  /** Over them. */
  hash: Hash;
}

/** Opens the incomplete file, which is empty where there was none. */
async function kept({ file, incomplete, onBytes, signal }: Job): Promise<Part> {
  const length = (await sizeOf(incomplete)) ?? 0;
  if (length > file.size) await rm(incomplete, { force: true });
  const hash = startChecksum(file);
  let hashed = 0;
  if (length > 0 && length <= file.size) {
    for await (const chunk of createReadStream(incomplete, { end: length - 1 }) as AsyncIterable<Buffer>) {
      throwIfStopped(signal);
      hash.update(chunk);
      hashed += chunk.length;
    }
  }
  onBytes(hashed);
  const handle = await openFile(incomplete, 'r+').catch(() => openFile(incomplete, 'w+'));
  return { handle, length: hashed, hash };
}

/** Empties the part: the file is made anew instead of cut off, for another process may still have it open. */
async function empty({ file, incomplete }: Job, part: Part): Promise<void> {
  await part.handle.close();
  await rm(incomplete, { force: true });
  part.handle = await openFile(incomplete, 'w+');
  part.length = 0;
  part.hash = startChecksum(file);
}

/** Asks for what is missing of the file until nothing is, after each cut from where the last answer ended. */
async function receive(job: Job, part: Part): Promise<void> {
  const { listing, file, settings, signal } = job;
  let tries = 0;
  while (part.length < file.size) {
    throwIfStopped(signal);
    const before = part.length;
    tries++;
    try {
      await receiveOnce(job, part, tries);
    } catch (cause) {
      throwIfStopped(signal);
      if (cause instanceof LensError || cause instanceof AbortError) throw cause;
      if (isDiskError(cause)) throw diskError(cause, file.size - part.length, job.incomplete);
      // Each answer that brought something earns new patience.
      if (part.length > before) tries = 1;
      if (tries >= TRIES) throw networkError(cause, asked(listing, file), settings);
      await waitFor(tries, undefined, settings, signal);
    }
  }
}

function asked({ id, commit }: Listing, file: RemoteFile): Asked {
  return { id, revision: commit, file: file.path };
}

/** One request: writes what it brings. Returns early where the server wants patience. */
async function receiveOnce(job: Job, part: Part, tries: number): Promise<void> {
  const { listing, file, settings, signal, onBytes } = job;
  const silence = new AbortController();
  const listen = () => setTimeout(() => silence.abort(fellSilent(settings)), settings.silenceMs);
  let alarm = listen();
  try {
    const response = await open(fileUrl(listing, file, settings), settings, {
      signal: AbortSignal.any([signal, silence.signal]),
      // Lengths and ranges count the bytes of the file, not those of a compressed form.
      headers: { 'accept-encoding': 'identity', ...(part.length > 0 && { range: `bytes=${part.length}-` }) },
    });
    if (response.status === 416) {
      await response.body?.cancel();
      throw await discarded(job, wrongSize(job, `the server has no more than ${part.length}`));
    }
    if (!response.ok) {
      const body = await response.text();
      clearTimeout(alarm);
      await failed(response, body, { asked: asked(listing, file), settings, signal, tries });
      return;
    }
    await checkAnswer(job, part, response);
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      clearTimeout(alarm);
      alarm = listen();
      if (part.length + chunk.length > file.size) throw await discarded(job, wrongSize(job, 'the server sends more'));
      await write(part.handle, chunk, part.length);
      part.hash.update(chunk);
      part.length += chunk.length;
      onBytes(part.length);
    }
    if (part.length < file.size) throw new Error('the connection was cut');
  } finally {
    clearTimeout(alarm);
  }
}

/** Whether an answer's headers fit the file; a server that ignores the range begins at the beginning, and so do we. */
async function checkAnswer(job: Job, part: Part, response: Response): Promise<void> {
  const { file } = job;
  const { headers, status, body } = response;
  const refuse = async (error: LensError) => {
    await body?.cancel();
    return discarded(job, error);
  };
  if (/^text\/html/i.test(headers.get('content-type') ?? '') && !/\.html?$/.test(file.path)) {
    throw await refuse(
      new LensError(
        `${new URL(response.url).host} sent a web page instead of ${file.path} of ${job.listing.id}`,
        'A proxy or a sign-in page of this network may stand in between: open any page in a browser, then try again',
      ),
    );
  }
  if (status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
    if (total !== undefined && total !== '*' && Number(total) !== file.size) {
      throw await refuse(wrongSize(job, `the server has ${total} bytes`));
    }
    if (Number(start) === part.length) return;
    await body?.cancel();
    await empty(job, part);
    throw new Error('the server sent another part than was asked for');
  }
  if (part.length > 0) await empty(job, part);
  const announced = headers.get('content-length');
  if (announced !== null && !headers.has('content-encoding') && Number(announced) !== file.size) {
    throw await refuse(wrongSize(job, `the server has ${announced} bytes`));
  }
}

/** What has arrived is not of this file: nobody shall go on from it. */
async function discarded({ incomplete }: Job, error: LensError): Promise<LensError> {
  await rm(incomplete, { force: true });
  return error;
}

function fellSilent({ silenceMs }: HubSettings): Error {
  return new Error(`it fell silent for ${silenceMs / 1000} s`);
}

async function write(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

/** Size of a file in bytes; undefined where there is none. */
export async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size;
}

function wrongSize({ file, listing }: Job, how: string): LensError {
  return new LensError(
    `${file.path} of ${listing.id} should have ${file.size} bytes, but ${how}`,
    'It was not kept. Try again later; if it stays so, the server or a proxy in between is at fault',
  );
}

function wrongContent({ file, listing }: Job): LensError {
  return new LensError(
    `${file.path} of ${listing.id} arrived damaged: its ${file.checksum === 'sha256' ? 'SHA-256' : 'git SHA-1'} is not ${file.etag}`,
    'It was not kept. Try again; if it stays so, the server or a proxy in between changes files',
  );
}

/** Whether the file system, not the network, is what failed: failures of a connection hide inside those of fetch. */
export function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** @param needed bytes that were still to be written */
export function diskError(cause: NodeJS.ErrnoException, needed: number, file: string): LensError {
  if (cause.code === 'ENOSPC' || cause.code === 'EDQUOT' || cause.code === 'EFBIG')
    return fullDisk(needed, file, cause);
  return new LensError(
    `cannot write "${file}": ${cause.code}`,
    'See that the cache folder can be written, or choose another with HF_HOME',
    { cause },
  );
}

/** @param needed bytes that do not fit */
export function fullDisk(needed: number, at: string, cause?: unknown): LensError {
  return new LensError(
    `the disk is full: ${fileSize(needed)} more are needed in ${at}`,
    'Make room ("lvlm-lens models list" and "lvlm-lens models rm" help), choose a smaller data type with --dtype, or another disk with HF_HOME. ' +
      'What was downloaded is kept, and the next try goes on from there',
    { cause },
  );
}
