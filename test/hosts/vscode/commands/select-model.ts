import assert from 'node:assert/strict';
import { accept } from '../../gestures.ts';
import { notification } from '../notifications.ts';
import type { TestOfCommand } from './test-of-command.ts';

/** A model that is here: nothing is downloaded. */
export const selectModel: TestOfCommand = async ({ host, hub }) => {
  hub.seen.length = 0;
  await host.begin('lvlmLens.selectModel');
  await accept(host.page, 'pocket-tiles', 'pocket-tiles');
  await notification(host, 'Calls that name no model use pocket-tiles from now on.');
  assert.equal(await host.call(`return vscode.workspace.getConfiguration('lvlmLens').get('model')`), 'pocket-tiles');
  assert.deepEqual(hub.seen, []);
  await host.set('lvlmLens', 'model', undefined, 'Workspace');
  await host.command('notifications.clearAll');
};
