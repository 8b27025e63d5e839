import assert from 'node:assert/strict';
import { JupyterClient } from '../../bench/jupyter-client.ts';

describe('the Jupyter client of the measurements', () => {
  it("rejects with the kernel's message where it cannot start", async () => {
    const kernel = `console.error('the kernel could not start: dist/types is missing'); process.exit(1)`;
    const client = await JupyterClient.start([process.execPath, '-e', kernel], '.');
    await assert.rejects(
      client.request('kernel_info_request', {}),
      /the kernel ended \(1\): the kernel could not start: dist\/types is missing/,
    );
    await assert.rejects(client.execute('1 + 1'), /dist\/types is missing/);
    await client.close();
  });
});
