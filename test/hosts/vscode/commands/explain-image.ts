import assert from 'node:assert/strict';
import { accept, chooseFromMenu, until } from '../../gestures.ts';
import type { TestOfCommand } from './test-of-command.ts';

/** From the context menu of a picture to its explanation. */
export const explainImage: TestOfCommand = async ({ host, screenshot }) => {
  await chooseFromMenu(await host.picture('banana.png'), 'Explain This Image…');
  await accept(host.page, 'Explain banana.png', 'Which object is left of the banana?');
  await host.page.getByText('comes with LVLM Lens').first().waitFor();
  await screenshot('choose-model');
  await accept(host.page, 'comes with LVLM Lens');
  const [source, success, error] = await until('the explanation is there', async () => {
    const cell = await host.call<[string, boolean | undefined, string] | undefined>(`
      const [cell] = (vscode.window.activeNotebookEditor?.notebook.getCells() ?? []).slice(-1);
      if (cell?.executionSummary?.success === undefined) return undefined;
      return [cell.document.getText(), cell.executionSummary.success, new TextDecoder().decode(cell.outputs[0]?.items[0]?.data).slice(0, 500)];`);
    return cell;
  });
  assert.equal(success, true, error);
  await host.outputs.locator('.heat').first().waitFor();
  await screenshot('explain-image');
  assert.match(
    source,
    /image: 'images\/banana\.png',\n {2}question: 'Which object is left of the banana\?',\n {2}model: 'pocket'/,
  );
  await host.command('workbench.action.revertAndCloseActiveEditor');
};
