import assert from 'node:assert/strict';
import sharp from 'sharp';
import { BASELINE_PICTURES } from '../../kernel/image/baseline.ts';
import { drawBaseline, type Pixels } from '../../renderer/baseline.ts';
import { drawStreet } from './fixture.ts';

/** The street at some size, as the browser and as the kernel hold it. */
async function street(
  side: number,
): Promise<{ rgba: Pixels; rgb: { width: number; height: number; data: Uint8Array } }> {
  const image = sharp(Buffer.from((await drawStreet()).data, 'base64')).resize(side, side);
  const rgb = await image.clone().removeAlpha().raw().toBuffer();
  const rgba = await image.clone().ensureAlpha().raw().toBuffer();
  return {
    rgb: { width: side, height: side, data: new Uint8Array(rgb) },
    rgba: { width: side, height: side, data: new Uint8ClampedArray(rgba) },
  };
}

describe('the baseline, drawn again from the document’s picture', () => {
  for (const name of ['blur', 'black', 'mean'] as const) {
    for (const sourceSide of [192, 640]) {
      it(`${name} is what the kernel made of a picture of ${sourceSide} px`, async () => {
        const whole = BASELINE_PICTURES[name]((await street(sourceSide)).rgb);
        const kernel = await sharp(whole.data, { raw: { width: sourceSide, height: sourceSide, channels: 3 } })
          .resize(96, 96)
          .raw()
          .toBuffer();
        const ours = drawBaseline(name, (await street(96)).rgba, sourceSide)!;
        let [sum, most] = [0, 0];
        for (let pixel = 0; pixel < 96 * 96; pixel++) {
          for (let channel = 0; channel < 3; channel++) {
            const off = Math.abs(kernel[pixel * 3 + channel]! - ours.data[pixel * 4 + channel]!);
            [sum, most] = [sum + off, Math.max(most, off)];
          }
        }
        assert.ok(sum / (96 * 96 * 3) < 2, `off by ${sum / (96 * 96 * 3)} of 255 on average`);
        assert.ok(most <= 10, `off by ${most} at most`);
      });
    }
  }

  it('noise is coarse, and the same each time', async () => {
    const { rgba } = await street(32);
    const [one, two] = [drawBaseline('noise', rgba, 32)!, drawBaseline('noise', rgba, 32)!];
    assert.deepEqual(one.data, two.data);
    const values = [...one.data].filter((_, at) => at % 4 < 3);
    assert.ok(Math.min(...values) < 8 && Math.max(...values) > 247);
  });

  it('what is not known is not drawn', async () => {
    const { rgba } = await street(8);
    for (const name of ['', 'hue', 'toString', '__proto__']) assert.equal(drawBaseline(name, rgba, 8), undefined);
  });
});
