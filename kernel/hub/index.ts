/** Models from the Hugging Face Hub, in the cache that Python's huggingface_hub uses too. */
export { cachedModels, dtypesOf } from './cached.ts';
export type { CachedFile, CachedModel, CachedRevision } from './cached.ts';
export { DTYPES, isRounded, parseDtype } from './dtype.ts';
export type { Dtype, DtypeChoice } from './dtype.ts';
export { fileSize } from './file-size.ts';
export { modelOverview } from './overview.ts';
export type { ModelOverview } from './overview.ts';
export { pullModel } from './pull.ts';
export type { PullOptions } from './pull.ts';
export type { PullProgress } from './pull-progress.ts';
export { plannedRemoval, removeModel } from './remove.ts';
export type { Removal } from './remove.ts';
export { idOfSnapshot, isHubId } from './repository.ts';
export { hubFolder, isOnHub } from './resolve.ts';
export { hubSettings } from './settings.ts';
export type { HubSettings } from './settings.ts';
