import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packBinaries } from '../../extension/package/pack-binaries.ts';
import { PACKED_LIST, unpackBinaries } from '../../extension/packed-binaries.ts';
import { LensError } from '../../kernel/errors.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';

describe('the native libraries of the package', () => {
  const noise = randomBytes(150_000).toString('hex');
  const library = 'node_modules/a/bin/libfoo.so.1';

  /** A folder as the package is made from: one library, and files that are none or too small. */
  async function packed(): Promise<string> {
    const dist = temporaryFolder('packed');
    await mkdir(path.join(dist, path.dirname(library)), { recursive: true });
    await writeFile(path.join(dist, library), noise);
    await writeFile(path.join(dist, 'node_modules/a/small.node'), 'small');
    await writeFile(path.join(dist, 'node_modules/a/index.js'), noise);
    await packBinaries(dist, 1);
    return dist;
  }

  it('are packed and listed; other files stay as they are', async () => {
    const dist = await packed();
    assert.deepEqual(JSON.parse(await readFile(path.join(dist, PACKED_LIST), 'utf8')), [
      { file: library, bytes: noise.length },
    ]);
    assert.deepEqual((await readdir(path.join(dist, 'node_modules/a'))).sort(), ['bin', 'index.js', 'small.node']);
    assert.deepEqual(await readdir(path.join(dist, 'node_modules/a/bin')), ['libfoo.so.1.br']);
    assert.ok((await readFile(path.join(dist, `${library}.br`))).length < 0.6 * noise.length);
  });

  it('are written out once, also by two windows at the same time', async () => {
    const dist = await packed();
    await Promise.all([unpackBinaries(dist), unpackBinaries(dist)]);
    assert.equal(await readFile(path.join(dist, library), 'utf8'), noise);
    assert.deepEqual(await readdir(path.join(dist, 'node_modules/a/bin')), ['libfoo.so.1']);
    await unpackBinaries(dist);
    assert.equal(await readFile(path.join(dist, library), 'utf8'), noise);
  });

  it('take the place of one that was written in part', async () => {
    const dist = await packed();
    await writeFile(path.join(dist, library), noise.slice(0, 1000));
    await unpackBinaries(dist);
    assert.equal(await readFile(path.join(dist, library), 'utf8'), noise);
  });

  it('are missed with a clear message where they are damaged', async () => {
    const dist = await packed();
    const file = path.join(dist, `${library}.br`);
    await writeFile(file, (await readFile(file)).subarray(0, 5000));
    await assert.rejects(unpackBinaries(dist), (error) => {
      return (
        error instanceof LensError &&
        /libfoo\.so\.1 could not be unpacked: .*install the extension again/.test(error.message)
      );
    });
    assert.ok(!existsSync(path.join(dist, library)), 'nothing half is left');
    assert.deepEqual(await readdir(path.join(dist, 'node_modules/a/bin')), ['libfoo.so.1.br']);
  });

  it('need nothing where nothing is packed', async () => {
    await unpackBinaries(temporaryFolder('not-packed'));
  });
});
