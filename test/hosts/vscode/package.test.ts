import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { packagedExtension } from './packaged-extension.ts';

describe('VS Code: the package of the extension', function () {
  this.timeout(600_000);

  it('is below 90 MB', async () => {
    assert.ok((await stat(await packagedExtension())).size < 90e6);
  });
});
