import { LensError } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import { gemma3 } from './families/gemma3.ts';
import { llava } from './families/llava.ts';
import { llavaDuo } from './families/llava-duo.ts';
import { llavaOnevision } from './families/llava-onevision.ts';
import { paligemma } from './families/paligemma.ts';
import { qwenVl } from './families/qwen-vl.ts';
import { smolvlm } from './families/smolvlm.ts';
import type { Family } from './family.ts';

/** One row for each `model_type` of config.json. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  gemma3,
  idefics3: smolvlm,
  llava,
  llava_duo: llavaDuo,
  llava_onevision: llavaOnevision,
  paligemma,
  qwen2_vl: qwenVl,
  qwen2_5_vl: qwenVl,
  smolvlm,
};

/** @throws LensError naming the families that there are */
export function familyOf(config: ModelConfig): Family {
  const family = Object.hasOwn(FAMILIES, config.model_type) ? FAMILIES[config.model_type] : undefined;
  if (family !== undefined) return family;
  throw new LensError(
    `models of type '${config.model_type}' are not supported yet`,
    `Supported are: ${Object.keys(FAMILIES).join(', ')}`,
  );
}
