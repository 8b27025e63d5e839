import { statSync } from 'node:fs';
import path from 'node:path';
import { embeddedModels } from '../model/embedded.ts';
import { findCached } from './cached.ts';
import { pullModel } from './pull.ts';
import type { PullOptions } from './pull.ts';
import { isHubId } from './repository.ts';
import { hubSettings } from './settings.ts';
import type { HubSettings } from './settings.ts';

/** Whether a model's name means one on the Hub: no embedded model and no folder here is called so. */
export function isOnHub(model: string): boolean {
  if (!isHubId(model) || embeddedModels().includes(model)) return false;
  return !statSync(path.resolve(model), { throwIfNoEntry: false })?.isDirectory();
}

/**
 * The folder of a model on the Hub: what is in the cache is taken as it is, without asking whether there is something newer;
 * what is not is downloaded.
 * @throws as `pullModel`
 */
export async function hubFolder(
  id: string,
  options: PullOptions = {},
  settings: HubSettings = hubSettings(),
): Promise<string> {
  const cached = await findCached(id, options, settings);
  return cached?.missing.length === 0 ? cached.folder : pullModel(id, options, settings);
}
