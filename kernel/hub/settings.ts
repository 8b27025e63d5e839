import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { LensError } from '../errors.ts';

/** Where models come from and where they are kept, as Python's huggingface_hub finds both. */
export interface HubSettings {
  /** Without a slash at the end: 'https://huggingface.co'. */
  readonly endpoint: string;
  /** The folder that holds `models--org--name`. */
  readonly cache: string;
  /** Sent to `endpoint` alone. */
  readonly token: string | undefined;
  /** No network at all. */
  readonly offline: boolean;
  /** A connection that is silent for this long, in ms, counts as cut. */
  readonly silenceMs: number;
  /** Wait before the first retry, in ms; doubles with each. */
  readonly retryMs: number;
  /** Files are copied into snapshots instead of linked. */
  readonly copies: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings in the environment: HF_ENDPOINT, HF_HUB_CACHE (HUGGINGFACE_HUB_CACHE), HF_HOME, XDG_CACHE_HOME, HF_TOKEN
 * (HUGGING_FACE_HUB_TOKEN), HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_OFFLINE (TRANSFORMERS_OFFLINE),
 * HF_HUB_DOWNLOAD_TIMEOUT (seconds) and HF_HUB_DISABLE_SYMLINKS. Read at each call, so that a cell may set them.
 * Source: huggingface_hub/constants.py.
 * @throws LensError for an endpoint that is no URL and a token that no header can carry
 */
export function hubSettings(env: Environment = process.env): HubSettings {
  const home = expanded(
    env.HF_HOME || path.join(env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'huggingface'),
    env,
  );
  const seconds = Number(env.HF_HUB_DOWNLOAD_TIMEOUT);
  return {
    endpoint: checkedEndpoint(env.HF_ENDPOINT || 'https://huggingface.co'),
    cache: path.resolve(expanded(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || path.join(home, 'hub'), env)),
    token: tokenFrom(env, home),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    silenceMs: seconds > 0 ? seconds * 1000 : 30_000,
    retryMs: 500,
    copies: isTrue(env.HF_HUB_DISABLE_SYMLINKS),
  };
}

function checkedEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '');
  throw new LensError(
    `HF_ENDPOINT is "${text}", which is no web address`,
    'Unset it, or set it to an address such as https://huggingface.co',
  );
}

function tokenFrom(env: Environment, home: string): string | undefined {
  const given = cleaned(env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN);
  if (given !== undefined) return checkedToken(given, 'HF_TOKEN');
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const file = expanded(env.HF_TOKEN_PATH || path.join(home, 'token'), env);
  try {
    const kept = cleaned(readFileSync(file, 'utf8'));
    return kept === undefined ? undefined : checkedToken(kept, `the token file ${file}`);
  } catch (error) {
    if (error instanceof LensError) throw error;
    return undefined;
  }
}

function checkedToken(token: string, from: string): string {
  if (/^[\u0021-\u007e]+$/.test(token)) return token;
  throw new LensError(`${from} holds characters that no token has`, 'Copy the token again; it begins with hf_');
}

function cleaned(token: string | undefined): string | undefined {
  return token?.trim() || undefined;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}

/** '~' and '$NAME' as a shell would write them out. */
function expanded(file: string, env: Environment): string {
  return file
    .replace(/^~(?=$|[\\/])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced: string, bare: string) => env[braced ?? bare] ?? whole);
}
