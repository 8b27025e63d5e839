import path from 'node:path';
import { LensError } from '../errors.ts';
import type { HubSettings } from './settings.ts';

/** As huggingface_hub's `validate_repo_id` has it, with an organisation: a bare name is that of no LVLM. */
const ID = /^(?=[^/]{1,96}\/[^/]{1,96}$)[A-Za-z0-9_][\w.-]*(?<![.-])\/[A-Za-z0-9_][\w.-]*(?<![.-])$/;
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a text has the form of a model's name on the Hub, 'org/name'. */
export function isHubId(text: string): boolean {
  return ID.test(text) && !text.includes('--') && !text.includes('..') && !text.endsWith('.git');
}

/** Whether a revision is a whole commit hash, which can never mean anything else tomorrow. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/** @throws LensError unless `id` has the form 'org/name' */
export function checkId(id: string): void {
  if (isHubId(id)) return;
  throw new LensError(
    `"${id}" is not the name of a model on the Hub`,
    'Names look like HuggingFaceTB/SmolVLM-256M-Instruct: an organisation, a slash, and a name',
  );
}

/** @throws LensError for a revision that cannot be one, such as '../x' */
export function checkRevision(revision: string): void {
  if (isSafePath(revision) && revision.length <= 200) return;
  throw new LensError(`"${revision}" is not a revision`, 'Give a branch, a tag or a commit hash');
}

/**
 * Whether a file's name in a repository stays below the folder that it is put in, on every system: relative, with forward slashes,
 * no `..`, no drive, no control characters, and nothing that Windows takes for a device.
 */
export function isSafePath(name: string): boolean {
  if (name.length === 0 || name.length > 1000) return false;
  return name.split('/').every(
    (part) =>
      part !== '' &&
      // eslint-disable-next-line no-control-regex
      !/[\\:*?"<>|\u0000-\u001f\u007f]/.test(part) &&
      !/[. ]$/.test(part) &&
      !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part),
  );
}

/** Where the cache keeps a model: `models--org--name`, holding blobs/, refs/ and snapshots/. */
export function repositoryFolder({ cache }: Pick<HubSettings, 'cache'>, id: string): string {
  checkId(id);
  return path.join(cache, `models--${id.replace('/', '--')}`);
}

/** Where huggingface_hub keeps a model's locks, beside the models. */
export function locksFolder({ cache }: Pick<HubSettings, 'cache'>, id: string): string {
  checkId(id);
  return path.join(cache, '.locks', `models--${id.replace('/', '--')}`);
}

/** The model's name that a repository's folder in the cache stands for; undefined for any other folder. */
export function idOfRepositoryFolder(folder: string): string | undefined {
  const [, organisation, name] = /^models--(.+?)--(.+)$/.exec(path.basename(folder)) ?? [];
  const id = `${organisation}/${name}`;
  return isHubId(id) ? id : undefined;
}

/** 'org/name' of a snapshot in a cache, `…/models--org--name/snapshots/<commit>`; undefined for any other folder. */
export function idOfSnapshot(folder: string): string | undefined {
  const snapshots = path.dirname(path.resolve(folder));
  return path.basename(snapshots) === 'snapshots' ? idOfRepositoryFolder(path.dirname(snapshots)) : undefined;
}
