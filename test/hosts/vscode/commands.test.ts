import assert from 'node:assert/strict';
import manifest from '../../../package.json' with { type: 'json' };
import { quickInput, repeatUntil } from '../gestures.ts';
import { explainImage } from './commands/explain-image.ts';
import { exportHtml } from './commands/export-html.ts';
import { installJupyterKernel } from './commands/install-jupyter-kernel.ts';
import { newNotebook } from './commands/new-notebook.ts';
import { openQuickstart } from './commands/open-quickstart.ts';
import { restartKernel } from './commands/restart-kernel.ts';
import { selectModel } from './commands/select-model.ts';
import { showLog } from './commands/show-log.ts';
import type { TestOfCommand } from './commands/test-of-command.ts';
import { describeInVsCode } from './fixture.ts';

const { commands } = manifest.contributes;

/** What each does, and the test. The log comes last: there is something in it by then. */
const TESTS: Readonly<Record<string, readonly [does: string, test: TestOfCommand]>> = {
  'lvlmLens.newNotebook': ['opens a notebook with a question about a picture', newNotebook],
  'lvlmLens.explainImage': ['asks for question and model, and explains', explainImage],
  'lvlmLens.exportHtml': ['writes one interactive page, and opens it', exportHtml],
  'lvlmLens.selectModel': ['offers the models of this machine', selectModel],
  'lvlmLens.restartKernel': ['gives the notebook a new kernel', restartKernel],
  'lvlmLens.installJupyterKernel': ['makes the kernel known to Jupyter, or says what is missing', installJupyterKernel],
  'lvlmLens.openQuickstart': ['opens a copy of the quickstart', openQuickstart],
  'lvlmLens.showLog': ['shows what was logged', showLog],
};

describeInVsCode('commands', (fixture) => {
  it('are all tested', () => {
    assert.deepEqual(Object.keys(TESTS).sort(), commands.map(({ command }) => command).sort());
  });

  for (const [command, [does, test]] of Object.entries(TESTS)) {
    it(`${commands.find((each) => each.command === command)?.title}: ${does}`, async function () {
      await test(fixture(), this);
    });
  }

  it('are listed by title', async () => {
    const { page } = fixture().host;
    const { box } = quickInput(page);
    await repeatUntil({ locator: box }, (limit) => page.locator('body').press('F1', limit));
    for (const { title } of commands) {
      await box.fill(`>LVLM Lens: ${title}`);
      await page
        .locator('.quick-input-list .monaco-list-row', { hasText: `LVLM Lens: ${title}` })
        .first()
        .waitFor();
    }
    await page.keyboard.press('Escape');
  });

  it('are in the walkthrough', async () => {
    const { host, screenshot } = fixture();
    await host.begin('workbench.action.openWalkthrough', 'lvlm-lens.lvlm-lens#start');
    await host.page.getByText('Where does the model look?').first().waitFor();
    await screenshot('walkthrough');
    await host.command('workbench.action.closeAllEditors');
  });
});
