import type { Family } from '../family.ts';
import { oneView } from './one-view.ts';

/** LLaVA-1.5 and its like: one view, made as CLIP's image processor makes it, and one run of image tokens. */
export const llava: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  vision: (site) => oneView(site),
};
