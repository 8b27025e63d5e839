import { LensError } from '../errors.ts';
import type { ModelConfig, PreprocessorConfig } from './config.ts';
import { clipView } from './views.ts';
import type { ViewGeometry } from './views.ts';

/** The few facts in which one family of models differs from another. */
export interface Family {
  /** Id of the placeholder that stands for the image in a prompt. */
  imageToken(config: ModelConfig): number | undefined;
  /** The views of a picture, in the order in which their features stand in the prompt. */
  views(config: ModelConfig, preprocessor: PreprocessorConfig): readonly ViewGeometry[];
  /** Position of the first token of a sequence. */
  readonly firstPosition: number;
}

const llava: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  views: (config, preprocessor) => [clipView(config, preprocessor)],
  firstPosition: 0,
};

/** One row for each `model_type` of config.json. */
export const FAMILIES: Readonly<Record<string, Family>> = { llava };

/** @throws LensError naming the families that there are */
export function familyOf(config: ModelConfig): Family {
  const family = FAMILIES[config.model_type];
  if (family !== undefined) return family;
  throw new LensError(
    `models of type '${config.model_type}' are not supported yet`,
    `Supported are: ${Object.keys(FAMILIES).join(', ')}`,
  );
}
