import { floatAttr } from '../attributes.ts';
import { chosen } from './attention.ts';
import type { FusedSite } from './site.ts';

/** What hides a padded key in onnxruntime's attention, unless the node says otherwise. */
const FILTER = -10000;

/**
 * A key padding mask as a bias that broadcasts to [batch, heads, queries, keys]: [batch] numbers of keys, [2·batch] ends and then
 * starts, or ones and zeros [batch, keys] or [batch, queries, keys].
 */
export function paddingBias(site: FusedSite, mask: string, batch: number, keys: number, like: string): string {
  const { b } = site;
  const hidden = floatAttr(site.node, 'mask_filter_value', FILTER);
  const { dtype } = b.graph.type(like);
  return site.once(`padding ${mask} ${String(keys)} ${String(hidden)} ${dtype}`, () => {
    const { dtype: kind, dims } = b.graph.type(mask);
    const position = () => {
      const steps = b.op(
        'Range',
        [0, keys, 1].map((value) => b.constant(kind, [], [value])),
      );
      return b.reshape(steps, [1, 1, 1, keys]);
    };
    const perRow = (start: number) => b.reshape(b.slice(mask, 0, start, batch), [batch, 1, 1, 1]);
    if (dims.length === 1 && dims[0] === batch) {
      return chosen(site, b.op('Less', [position(), perRow(0)]), dtype, hidden);
    }
    if (dims.length === 1 && dims[0] === 2 * batch) {
      const [at, end, start] = [position(), perRow(0), perRow(batch)];
      return chosen(site, b.op('And', [b.op('Less', [at, end]), b.op('GreaterOrEqual', [at, start])]), dtype, hidden);
    }
    if ((dims.length !== 2 && dims.length !== 3) || dims.at(-1) !== keys) {
      throw site.error(
        `a key mask of shape [${dims.join(', ')}] for ${String(keys)} keys is not supported`,
        'Export the model with a mask of shape [batch, keys]',
      );
    }
    const ones = b.op('Greater', [mask, b.constant(kind, [], [0])]);
    return chosen(site, b.reshape(ones, [dims[0]!, 1, dims.length === 3 ? dims[1]! : 1, keys]), dtype, hidden);
  });
}
