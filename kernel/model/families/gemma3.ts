import { z } from 'zod';
import { LensError } from '../../errors.ts';
import type { Family, FamilySite } from '../family.ts';
import { counted } from '../sequence.ts';
import { oneView } from './one-view.ts';

/** What Gemma 3's config.json says of pictures. */
const Gemma3Config = z.looseObject({
  mm_tokens_per_image: z.number().int().positive().default(256),
  boi_token_index: z.number().int().nonnegative().optional(),
  boi_token_id: z.number().int().nonnegative().optional(),
  eoi_token_index: z.number().int().nonnegative().optional(),
  eoi_token_id: z.number().int().nonnegative().optional(),
});

/** Of preprocessor_config.json; null in published models. */
const Gemma3Preprocessor = z.object({ do_pan_and_scan: z.boolean().default(false) });

/** transformers' processor makes crops where a call asks for them, whatever the file says. */
const WITHOUT_CROPS =
  'The model saw the whole picture only, without the crops of “pan and scan” that preprocessor_config.json asks for: transformers makes ' +
  'none either unless a call says so.';

/** Gemma 3: one view, its features pooled to a square of `mm_tokens_per_image`, between two tokens that mark the picture. */
export const gemma3: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  pictureText: (site) => marks(site).begin,
  vision(site) {
    const { tokens, begin, end } = marks(site);
    const side = Math.sqrt(tokens);
    if (!Number.isInteger(side)) {
      throw new LensError(
        `config.json gives a picture ${tokens} tokens, which make no square`,
        'Download config.json again: `mm_tokens_per_image` is 256 in published models',
      );
    }
    const plan = oneView(site, { side, before: `\n\n${begin}`, after: `${end}\n\n` });
    const { do_pan_and_scan: crops } = Gemma3Preprocessor.parse(site.files.preprocessor);
    return crops ? (picture) => ({ ...plan(picture), notice: WITHOUT_CROPS }) : plan;
  },
  // As published conversions are run; rotary positions are relative, so that the first one does not matter.
  positions: ({ ids }) => counted(ids.length, 1),
  tokenInputs: { token_type_ids: ({ image }) => (image ? 1 : 0) },
};

/** Number of tokens of a picture, and the tokens around them. */
function marks({ files: { config }, tokenOf }: FamilySite): { tokens: number; begin: string; end: string } {
  const { mm_tokens_per_image: tokens, ...known } = Gemma3Config.parse(config);
  const begin = tokenOf(known.boi_token_index ?? known.boi_token_id ?? -1);
  const end = tokenOf(known.eoi_token_index ?? known.eoi_token_id ?? -1);
  if (begin !== undefined && end !== undefined) return { tokens, begin, end };
  throw new LensError(
    'config.json does not name the tokens before and after a picture',
    'It must have `boi_token_index` and `eoi_token_index`, as Gemma 3’s has',
  );
}
