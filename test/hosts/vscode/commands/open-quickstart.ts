import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { TestOfCommand } from './test-of-command.ts';

/** A copy, not the one that is installed. */
export const openQuickstart: TestOfCommand = async ({ host }) => {
  await host.command('lvlmLens.openQuickstart');
  const file = await host.call<string>(`return vscode.window.activeNotebookEditor.notebook.uri.fsPath`);
  assert.match(file, /quickstart\.ipynb$/);
  assert.ok(!file.includes(`extensions${path.sep}`), file);
  assert.ok(existsSync(path.join(path.dirname(file), 'images', 'cafe.png')));
  await host.command('workbench.action.revertAndCloseActiveEditor');
};
