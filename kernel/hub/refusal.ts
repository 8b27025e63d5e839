import { listModels } from '@huggingface/hub';
import { LensError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { cachedIds } from './cached.ts';
import type { HubSettings } from './settings.ts';

/** What was asked of the Hub, for messages. */
export interface Asked {
  readonly id: string;
  readonly revision: string;
  /** The file asked for, where it was one. */
  readonly file?: string;
}

/** What a message needs of an answer that was no success. */
export interface Refusal {
  readonly status: number;
  /** X-Error-Code: 'GatedRepo', 'RepoNotFound', 'RevisionNotFound', 'EntryNotFound'. */
  readonly code: string | null;
  /** X-Error-Message or the body's `error`. */
  readonly words: string;
}

/** The Hub answered, and said no. Such an answer is final: asking again changes nothing. */
export async function refusalError(refusal: Refusal, asked: Asked, settings: HubSettings): Promise<LensError> {
  const { status, code, words } = refusal;
  const { endpoint, token } = settings;
  const { id, revision, file } = asked;
  const page = `${endpoint}/${id}`;
  const getToken =
    `make a token at ${endpoint}/settings/tokens and set HF_TOKEN to it, or keep it in the token file ` +
    `with "hf auth login"`;
  if (status === 401 && /invalid (credentials|username|token)|token.*(expired|invalid)/i.test(words)) {
    return new LensError(
      'the Hub does not know the access token that was sent',
      `It may be mistyped or expired: ${getToken}. Models that are open to all need none: unset HF_TOKEN`,
    );
  }
  if (code === 'GatedRepo' || (status === 403 && code !== 'RepoNotFound')) {
    const accept = `Open ${page} in a browser, sign in and accept its conditions`;
    return token === undefined
      ? new LensError(
          `${id} is gated: only who has accepted its conditions may download it`,
          `${accept}; then ${getToken}`,
        )
      : new LensError(
          `${id} is gated, and the access token that was sent may not read it (${status})`,
          `${accept}, wait where its authors grant access by hand, and see that the token may read gated repositories (${endpoint}/settings/tokens)`,
        );
  }
  if (code === 'RevisionNotFound') {
    return new LensError(`${id} has no revision "${revision}"`, `${page}/tree/main lists its branches and tags`);
  }
  if (code === 'EntryNotFound') {
    return new LensError(`${id} at revision ${revision} has no file ${file}`, `See ${page}/tree/${revision}`);
  }
  if (status === 401 || status === 404) {
    const guess = await similarId(asked, settings);
    return new LensError(
      `there is no model ${id} on ${new URL(endpoint).host}, or it is private`,
      `${guess === undefined ? '' : `Did you mean ${guess}? `}${
        token === undefined
          ? `If it is private, ${getToken}`
          : 'If it is private, the access token must belong to someone who may read it'
      }`,
    );
  }
  return new LensError(
    `the Hub refused ${file ?? 'the list of files'} of ${id} with status ${status}${words === '' ? '' : `: ${words.slice(0, 200)}`}`,
    `See whether ${page} opens in a browser`,
  );
}

/** The Hub did not do it, even after several tries. */
export function troubleError(status: number, { id, file }: Asked, tries: number, settings: HubSettings): LensError {
  const what = `${file ?? 'the list of files'} of ${id}`;
  return status === 429
    ? new LensError(
        `the Hub refused ${what} because of too many requests (429), ${tries} times`,
        `Wait some minutes.${settings.token === undefined ? ' With an access token in HF_TOKEN more requests are allowed' : ''}`,
      )
    : new LensError(
        `the Hub failed to give ${what}: status ${status}, ${tries} times`,
        'Try again later (https://status.huggingface.co tells of troubles). What was downloaded is kept, and the next try goes on from there',
      );
}

const NETWORK: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known here',
  EAI_AGAIN: 'its name cannot be looked up',
  ECONNREFUSED: 'nothing answers there',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: NODE_EXTRA_CA_CERTS can name one to trust',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed: NODE_EXTRA_CA_CERTS can name one to trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be checked: NODE_EXTRA_CA_CERTS can name one to trust',
};

/** The network failed, even after several tries. */
export function networkError(cause: unknown, { id, file }: Asked, settings: HubSettings): LensError {
  const code = networkCode(cause);
  const reason = (code === undefined ? undefined : NETWORK[code]) ?? (cause as Error).message;
  return new LensError(
    `cannot download ${file === undefined ? id : `${file} of ${id}`} from ${settings.endpoint}: ${reason}`,
    'Check the connection (behind a proxy, set HTTPS_PROXY and NODE_USE_ENV_PROXY=1; for a mirror, HF_ENDPOINT). What was downloaded is kept, and ' +
      'the next try goes on from there. Without a network, models in the cache and embedded models work',
    { cause },
  );
}

/** The system's name for what went wrong, which fetch hides in causes of causes. */
function networkCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

/** @throws LensError always: nothing can be downloaded by wish of the user */
export function offlineError(id: string, missing: readonly string[] | undefined, { cache }: HubSettings): LensError {
  return new LensError(
    missing === undefined
      ? `${id} is not in the cache (${cache}), and HF_HUB_OFFLINE forbids downloads`
      : `the cache (${cache}) holds ${id} without ${missing.join(', ')}, and HF_HUB_OFFLINE forbids downloads`,
    `Unset HF_HUB_OFFLINE, or run "lvlm-lens models pull ${id}" where there is a network and copy the cache`,
  );
}

/** What someone who wrote `id` may have meant: of what is in the cache and of what the Hub finds. */
async function similarId({ id }: Asked, settings: HubSettings): Promise<string | undefined> {
  const known = new Set(await cachedIds(settings));
  const [owner, name] = id.split('/') as [string, string];
  const ask: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(3000) });
  // Names begin alike more often than they are whole: the search finds only what contains the words.
  for (const search of [{ query: name }, { owner }, { query: name.split(/[-_.]/)[0]! }]) {
    try {
      for await (const found of listModels({ search, limit: 20, hubUrl: settings.endpoint, fetch: ask })) {
        known.add(String(found.name));
      }
    } catch {
      // A guess is a courtesy.
    }
    const guess = nearest(id, [...known]);
    if (guess !== undefined && guess !== id) return guess;
  }
  return undefined;
}
