import assert from 'node:assert/strict';
import { until } from '../../gestures.ts';
import { OpenNotebook } from '../open-notebook.ts';
import type { TestOfCommand } from './test-of-command.ts';

/** By its button on the notebook. */
export const restartKernel: TestOfCommand = async ({ host }) => {
  const notebook = await OpenNotebook.make(host, 'restarted.ipynb');
  const before = await notebook.value('process.pid');
  await host.page
    .locator('.notebook-toolbar-container')
    .getByRole('button', { name: /^Restart/ })
    .click();
  await until('another kernel runs', async () => (await notebook.value('process.pid')) !== before);
  assert.equal((await notebook.last()).order! < 3, true);
  await notebook.close();
};
