import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LensError } from '../errors.ts';
import { embeddedFolder } from '../model/embedded.ts';
import { cachedModel, filesIn, findCached } from './cached.ts';
import { chosenGraphs, graphFiles } from './dtype.ts';
import type { Dtype, SizedFile } from './dtype.ts';
import { fileUrl, remoteListing } from './listing.ts';
import type { Listing } from './listing.ts';
import { sideFiles } from './needed.ts';
import { offlineError } from './refusal.ts';
import { repositoryFolder } from './repository.ts';
import { patientFetch } from './request.ts';
import { hubSettings } from './settings.ts';
import type { HubSettings } from './settings.ts';
import { isInSnapshot } from './snapshot.ts';
import type { GraphName } from '../model/files.ts';

/** What is known of a model without loading it. */
export interface ModelOverview {
  readonly id: string;
  /** Where this was found: on the Hub, in the cache because the Hub was not asked or not reached, or in this package. */
  readonly from: 'hub' | 'cache' | 'embedded';
  readonly commit: string | undefined;
  /** What config.json says of its architecture, in the order in which to show it. */
  readonly facts: readonly (readonly [what: string, value: string])[];
  /** Every file that a download may bring, with whether it is on this machine. */
  readonly files: readonly (SizedFile & { readonly isHere: boolean })[];
  /** Every graph in every data type. */
  readonly graphs: readonly {
    readonly graph: GraphName;
    readonly dtype: Dtype;
    readonly size: number;
    readonly isHere: boolean;
    /** What a download brings where no data type is asked for. */
    readonly isDefault: boolean;
  }[];
  /** The folder to load, where all that is needed is on this machine. */
  readonly folder: string | undefined;
}

/**
 * What a model is and what of it is here. Asks the Hub, and where that cannot be reached takes the cache.
 * @param id an embedded model or 'org/name'
 * @throws LensError where there is no such model
 */
export async function modelOverview(
  id: string,
  { revision, signal }: { readonly revision?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  settings: HubSettings = hubSettings(),
): Promise<ModelOverview> {
  const embedded = embeddedFolder(id);
  if (embedded !== undefined) return local(id, 'embedded', embedded, undefined, embedded);
  const cached = await findCached(id, { revision }, settings);
  const fromCache = () =>
    cached === undefined
      ? undefined
      : local(id, 'cache', cached.folder, cached.commit, cached.missing.length === 0 ? cached.folder : undefined);
  if (settings.offline) {
    const known = await fromCache();
    if (known !== undefined) return known;
    throw offlineError(id, undefined, settings);
  }
  let listing: Listing;
  try {
    listing = await remoteListing(id, revision ?? 'main', settings, signal);
  } catch (error) {
    const known = error instanceof LensError ? await fromCache() : undefined;
    if (known !== undefined) return known;
    throw error;
  }
  return remote(listing, settings, signal);
}

async function remote(
  listing: Listing,
  settings: HubSettings,
  signal: AbortSignal | undefined,
): Promise<ModelOverview> {
  const { id, commit } = listing;
  const available = graphFiles(listing.files);
  const chosen = chosenGraphs(available, undefined, id);
  const snapshot = path.join(repositoryFolder(settings, id), 'snapshots', commit);
  const wanted = [...sideFiles(listing.files), ...available.flatMap(({ files }) => files)];
  const files = await Promise.all(
    wanted.map(async (file) => ({
      path: file.path,
      size: file.size,
      isHere: await isInSnapshot(snapshot, file.path, file.size),
    })),
  );
  const here = new Set(files.filter(({ isHere }) => isHere).map((file) => file.path));
  const configFile = listing.files.find((file) => file.path === 'config.json');
  const ask = patientFetch({ id, revision: commit, file: 'config.json' }, settings, signal);
  const config: unknown = here.has('config.json')
    ? await jsonIn(path.join(snapshot, 'config.json'))
    : configFile && (await (await ask(fileUrl(listing, configFile, settings))).json());
  const revisions = (await cachedModel(id, settings))?.revisions ?? [];
  const isWhole = revisions.some((each) => each.commit === commit && each.missing.length === 0);
  return {
    id,
    from: 'hub',
    commit,
    facts: factsOf(config),
    files,
    graphs: available.map((each) => ({
      graph: each.graph,
      dtype: each.dtype,
      size: each.size,
      isHere: each.files.every((file) => here.has(file.path)),
      isDefault: chosen.includes(each),
    })),
    folder: isWhole ? snapshot : undefined,
  };
}

async function local(
  id: string,
  from: ModelOverview['from'],
  at: string,
  commit: string | undefined,
  folder: string | undefined,
): Promise<ModelOverview> {
  const files = await filesIn(at);
  return {
    id,
    from,
    commit,
    facts: factsOf(await jsonIn(path.join(at, 'config.json'))),
    files: files.map((file) => ({ path: file.path, size: file.size, isHere: true })),
    graphs: graphFiles(files).map(({ graph, dtype, size }) => ({ graph, dtype, size, isHere: true, isDefault: false })),
    folder,
  };
}

/** What config.json may tell: how to call it, and where in the file it can stand. */
const FACTS: readonly (readonly [what: string, ...at: readonly string[]])[] = [
  ['family', 'model_type'],
  ['architecture', 'architectures'],
  ['language model', 'text_config.model_type', 'llm_config.model_type'],
  ['language layers', 'text_config.num_hidden_layers', 'num_hidden_layers'],
  ['language width', 'text_config.hidden_size', 'hidden_size'],
  ['vocabulary', 'text_config.vocab_size', 'vocab_size'],
  ['context', 'text_config.max_position_embeddings', 'max_position_embeddings'],
  ['vision model', 'vision_config.model_type'],
  ['vision layers', 'vision_config.num_hidden_layers', 'vision_config.depth'],
  ['vision width', 'vision_config.hidden_size', 'vision_config.embed_dim'],
  ['image size', 'vision_config.image_size'],
  ['patch size', 'vision_config.patch_size'],
];

function factsOf(config: unknown): (readonly [string, string])[] {
  return FACTS.flatMap(([what, ...places]) => {
    const [value] = places.flatMap((place) => {
      const found = place
        .split('.')
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], config);
      const text = Array.isArray(found) ? found.join(', ') : found;
      return typeof text === 'string' || typeof text === 'number' ? [String(text).slice(0, 200)] : [];
    });
    return value === undefined ? [] : [[what, value] as const];
  });
}

async function jsonIn(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    // Facts are for the reader; whoever loads the model says what is wrong with it.
    return undefined;
  }
}
