import assert from 'node:assert/strict';
import { lab } from 'd3-color';
import { COLOUR_MAPS, colourAt, heatOpacity, heatTable } from '../../renderer/colour-maps.ts';

describe('colour maps', () => {
  for (const name of COLOUR_MAPS) {
    it(`${name} gets lighter all the way, without jumps`, () => {
      const lightness = Array.from({ length: 65 }, (_, step) => lab(colourAt(name, step / 64)).l);
      const steps = lightness.slice(1).map((value, at) => value - lightness[at]!);
      assert.ok(Math.min(...steps) > -0.5, `gets darker by ${-Math.min(...steps)}`);
      assert.ok(Math.max(...steps) < 5, `jumps by ${Math.max(...steps)}`);
      assert.ok(lightness.at(-1)! - lightness[0]! > 60);
    });
  }

  it('heat is clear where it is cold and below the threshold, and as strong as asked where it is hottest', () => {
    assert.equal(heatOpacity(0, { opacity: 0.7, threshold: 0 }), 0);
    assert.equal(heatOpacity(1, { opacity: 0.7, threshold: 0.5 }), 0.7);
    assert.equal(heatOpacity(0.49, { opacity: 0.7, threshold: 0.5 }), 0);
    assert.ok(heatOpacity(0.51, { opacity: 0.7, threshold: 0.5 }) > 0.3);
  });

  it('the table holds the colours with their opacity', () => {
    const table = heatTable({ colourMap: 'viridis', opacity: 0.5, threshold: 0 });
    assert.equal(table.length, 1024);
    assert.deepEqual([...table.slice(255 * 4)], [253, 231, 37, 128]);
  });
});
