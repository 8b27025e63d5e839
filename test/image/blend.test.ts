import assert from 'node:assert/strict';
import { filledMask } from '../../kernel/attribution/mask.ts';
import { blended } from '../../kernel/image/blend.ts';
import { decodeImage } from '../../kernel/image/decode.ts';

describe('a picture with a part replaced', () => {
  const data = Uint8Array.from({ length: 8 * 4 * 3 }, (_, i) => (i * 37) % 256);
  const picture = () => decodeImage({ data, width: 8, height: 4 });

  it('is the picture where the mask is 1 and the baseline where it is 0', async () => {
    const whole = await blended(await picture(), 'black', filledMask(2, 2, 1));
    assert.deepEqual(whole.data, data);
    assert.equal(whole.hash, (await picture()).hash);
    const nothing = await blended(await picture(), 'black', filledMask(2, 2, 0));
    assert.ok(nothing.data.every((value) => value === 0));
  });

  it('mixes in between, cell by cell', async () => {
    const mask = { rows: 1, cols: 8, data: Float32Array.of(1, 1, 1, 1, 0.5, 0, 0, 0) };
    const { data: mixed } = await blended(await picture(), 'black', mask);
    for (let i = 0; i < data.length; i++) {
      assert.equal(mixed[i], Math.round(data[i]! * mask.data[Math.floor(i / 3) % 8]!));
    }
  });

  it('draws the noise by its seed', async () => {
    const noise = async (seed: number) => (await blended(await picture(), 'noise', filledMask(2, 2, 0), seed)).hash;
    assert.equal(await noise(1), await noise(1));
    assert.notEqual(await noise(1), await noise(2));
  });
});
