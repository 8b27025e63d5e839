import assert from 'node:assert/strict';
import type { TestOfCommand } from './test-of-command.ts';

/** The output channel, with what was logged. */
export const showLog: TestOfCommand = async ({ host, screenshot }) => {
  await host.command('lvlmLens.showLog');
  const panel = host.page.locator('.part.panel');
  await panel
    .locator('.view-line', { hasText: /\[\w+\]/ })
    .first()
    .waitFor();
  await screenshot('log');
  const log = await host.call<string>(
    `return vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === 'output').map((each) => each.getText()).join('')`,
  );
  assert.match(log, /\[info\] starting a kernel in .*, on Node \d+/);
  assert.match(log, /\[info\] kernel \d+ is ready: LVLM Lens \d/);
  await host.command('workbench.action.closePanel');
};
