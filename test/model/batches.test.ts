import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '../../kernel/image/decode.ts';
import { seededRandom } from '../../kernel/image/random.ts';
import { openModel } from '../../kernel/model/open-model.ts';
import { BATCH } from '../../kernel/model/scorer.ts';

const at = (name: string) => fileURLToPath(new URL(`../reference/${name}`, import.meta.url));

/** Families whose graphs have other shapes for several pictures at once: tiles, left-out views, assembled rows, patches, masks. */
const FAMILIES = ['smolvlm', 'llava_onevision', 'qwen2_vl', 'qwen2_5_vl', 'paligemma', 'gemma3'];

describe('several masks in one run', function () {
  this.timeout(60_000);
  for (const name of FAMILIES) {
    it(`give what each gives alone: ${name}`, async () => {
      const model = await openModel(at(name));
      const picture = await decodeImage(at('pictures/portrait.png'));
      const scorer = await model.scorer(picture, 'What is in the picture?', [41, 52, 63]);
      const weights = Float32Array.of(1, 0.5, 2);
      const { uniform } = seededRandom(7);
      const requests = Array.from({ length: BATCH }, () => ({
        mask: { rows: 6, cols: 5, data: Float32Array.from({ length: 30 }, uniform) },
        weights,
      }));
      const together = await scorer.gradient(requests);
      for (const [i, request] of requests.entries()) {
        const [alone] = await scorer.gradient([request]);
        const size = Math.hypot(...alone!.gradient.data);
        assert.ok(size > 0);
        alone!.logp.forEach((value, t) => assert.ok(Math.abs(together[i]!.logp[t]! - value) < 1e-4, `log p of ${i}`));
        alone!.gradient.data.forEach((value, k) =>
          assert.ok(Math.abs(together[i]!.gradient.data[k]! - value) < 1e-3 * size, `gradient of ${i}`),
        );
      }
      await model.release();
    });
  }
});
