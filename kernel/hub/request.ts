import { setTimeout as sleep } from 'node:timers/promises';
import { AbortError, LensError } from '../errors.ts';
import { packageVersion } from '../model/embedded.ts';
import type { Asked } from './refusal.ts';
import { networkError, refusalError, troubleError } from './refusal.ts';
import type { HubSettings } from './settings.ts';

/** Tries of a request, or of a part of a file, without any success in between. */
export const TRIES = 5;
/** However long a server asks to wait, in ms. */
const LONGEST_WAIT = 60_000;

/** Failures that may pass: too many requests, and trouble of the server's own. */
function mayPass(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/**
 * Opens a response: headers have arrived, the body has not. The access token goes to the endpoint alone; fetch drops it when a redirect
 * leads elsewhere.
 * @param init.signal aborts headers and body
 */
export async function open(url: string, settings: HubSettings, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('user-agent', `lvlm-lens/${packageVersion()}; node/${process.versions.node}`);
  if (settings.token !== undefined && new URL(url).origin === new URL(settings.endpoint).origin) {
    headers.set('authorization', `Bearer ${settings.token}`);
  }
  return fetch(url, { ...init, headers });
}

/**
 * A `fetch` for the functions of `@huggingface/hub`, which neither retry nor stop: it does both, reads the whole body, and
 * turns failures into `LensError`s about what was asked.
 */
export function patientFetch(asked: Asked, settings: HubSettings, signal: AbortSignal | undefined): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    for (let tries = 1; ; tries++) {
      throwIfStopped(signal);
      const silence = AbortSignal.timeout(settings.silenceMs);
      let response: Response;
      let body: string;
      try {
        response = await open(url, settings, {
          ...init,
          signal: signal === undefined ? silence : AbortSignal.any([signal, silence]),
        });
        body = await response.text();
      } catch (cause) {
        throwIfStopped(signal);
        if (tries >= TRIES) throw networkError(cause, asked, settings);
        await waitFor(tries, undefined, settings, signal);
        continue;
      }
      if (response.ok) {
        checkJson(body, url);
        return new Response(body, { status: response.status, headers: response.headers });
      }
      await failed(response, body, { asked, settings, signal, tries });
    }
  };
}

/** What is known of a request that the server did not fulfil. */
export interface Failed {
  readonly asked: Asked;
  readonly settings: HubSettings;
  readonly signal: AbortSignal | undefined;
  /** Requests made so far. */
  readonly tries: number;
}

/**
 * Waits where another try may help.
 * @throws LensError where it will not, or was tried often enough
 */
export async function failed(
  response: Response,
  body: string,
  { asked, settings, signal, tries }: Failed,
): Promise<void> {
  const { status, headers } = response;
  if (!mayPass(status)) {
    const words = headers.get('x-error-message') ?? errorIn(body);
    throw await refusalError({ status, code: headers.get('x-error-code'), words }, asked, settings);
  }
  if (tries >= TRIES) throw troubleError(status, asked, tries, settings);
  await waitFor(tries, headers.get('retry-after'), settings, signal);
}

/** Waits before the next try: as long as the server asks, or twice as long as the last time. */
export async function waitFor(
  tries: number,
  retryAfter: string | null | undefined,
  { retryMs }: HubSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const asked = Number(retryAfter) * 1000 || (retryAfter ? Date.parse(retryAfter) - Date.now() : 0) || 0;
  const wait = Math.min(LONGEST_WAIT, Math.max(asked, retryMs * 2 ** (tries - 1)));
  try {
    await sleep(wait, undefined, { ...(signal !== undefined && { signal }) });
  } catch {
    throw new AbortError();
  }
}

/** @throws AbortError once the caller has asked to stop */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError();
}

/** @throws LensError for a page of some proxy or hotel that answers in the Hub's place */
function checkJson(body: string, url: string): void {
  try {
    JSON.parse(body);
  } catch (cause) {
    throw new LensError(
      `${new URL(url).host} answered with something else than the Hub's data${/^\s*</.test(body) ? ': a web page' : ''}`,
      'A proxy, a sign-in page of this network or a wrong HF_ENDPOINT may stand in between',
      { cause },
    );
  }
}

/** The reason that the body of a failure gives, if it gives one. */
function errorIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === 'string' ? error : '';
  } catch {
    return '';
  }
}
