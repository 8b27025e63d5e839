import assert from 'node:assert/strict';
import { kernelLabel } from '../open-notebook.ts';
import type { TestOfCommand } from './test-of-command.ts';

/** A notebook that asks about a picture of the folder. */
export const newNotebook: TestOfCommand = async ({ host }) => {
  await host.command('lvlmLens.newNotebook');
  assert.match(
    await host.call<string>(`return vscode.window.activeNotebookEditor.notebook.getCells().at(-1).document.getText()`),
    /^const e = await explain\(\{\n {2}image: '.*images\/\w+\.png',\n {2}question: /,
  );
  await kernelLabel(host).waitFor();
  await host.command('workbench.action.revertAndCloseActiveEditor');
};
