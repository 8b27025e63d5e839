import { LensError } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import { llava } from './families/llava.ts';
import type { Family } from './family.ts';

/** One row for each `model_type` of config.json. */
export const FAMILIES: Readonly<Record<string, Family>> = { llava };

/** @throws LensError naming the families that there are */
export function familyOf(config: ModelConfig): Family {
  const family = Object.hasOwn(FAMILIES, config.model_type) ? FAMILIES[config.model_type] : undefined;
  if (family !== undefined) return family;
  throw new LensError(
    `models of type '${config.model_type}' are not supported yet`,
    `Supported are: ${Object.keys(FAMILIES).join(', ')}`,
  );
}
