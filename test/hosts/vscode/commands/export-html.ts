import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { MIME_TYPE } from '../../../../kernel/document.ts';
import { accept } from '../../gestures.ts';
import { answerNotification } from '../notifications.ts';
import type { TestOfCommand } from './test-of-command.ts';

/** One page, which opens beside. */
export const exportHtml: TestOfCommand = async ({ host }) => {
  await host.begin('lvlmLens.exportHtml', { file: host.file('executed.ipynb') });
  await accept(host.page, 'Export as interactive HTML');
  await answerNotification(host, /Exported to /, 'Open');
  const html = await readFile(host.file('executed.html'), 'utf8');
  assert.ok(html.includes(`type="${MIME_TYPE}"`));
  await host.page.getByRole('tab', { name: 'executed.html' }).waitFor();
  await host.outputs.locator('.heat').first().waitFor();
  await host.command('workbench.action.closeAllEditors');
};
