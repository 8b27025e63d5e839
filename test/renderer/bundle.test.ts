import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { bundle } from './stage.ts';

describe('the renderer’s bundles', () => {
  for (const [entry, format] of [
    ['index', 'esm'],
    ['page', 'iife'],
    ['jupyterlab/index', 'iife'],
  ] as const) {
    it(`${entry} stays under 250 kB compressed, fetches nothing and evaluates nothing`, async () => {
      const script = await bundle(entry, format);
      assert.ok(gzipSync(script).length <= 250_000, `${gzipSync(script).length} bytes`);
      assert.doesNotMatch(script, /\bimport\s*\(|\bimportScripts\b|\bXMLHttpRequest\b|\bWebSocket\b/);
      assert.doesNotMatch(script, /\beval\s*\(/);
    });
  }
});
