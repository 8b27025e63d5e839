import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { MIME_TYPE } from '../../../kernel/document.ts';
import { accept, repeatUntil } from '../gestures.ts';
import { describeInVsCode } from './fixture.ts';
import { notification } from './notifications.ts';
import { kernelLabel } from './open-notebook.ts';

describeInVsCode(
  'a folder that is not trusted',
  (fixture) => {
    it('shows explanations', async () => {
      const { host, screenshot } = fixture();
      assert.equal(await host.call<boolean>('return vscode.workspace.isTrusted'), false);
      await host.show(host.file('executed.ipynb'));
      await host.outputs.locator('.heat').first().waitFor();
      assert.equal(
        await host.call<boolean>(`return vscode.extensions.getExtension('lvlm-lens.lvlm-lens').isActive`),
        true,
      );
      await screenshot('not-trusted');
    });

    it('offers no kernel and executes nothing', async () => {
      const { host } = fixture();
      assert.equal(await host.page.locator('.kernel-label', { hasText: 'LVLM Lens' }).count(), 0);
      const states = () =>
        host.call<unknown>(`return vscode.window.activeNotebookEditor.notebook.getCells().map(({ executionSummary, outputs }) =>
          [executionSummary?.executionOrder, executionSummary?.timing, outputs.length])`);
      const before = await states();
      await host.begin('notebook.execute');
      const dialog = host.page.locator('.monaco-dialog-box', { hasText: 'Do you trust the authors' });
      await dialog.waitFor();
      const cancel = dialog.getByRole('button', { name: 'Cancel' });
      await repeatUntil({ locator: dialog, state: 'hidden' }, (limit) => cancel.click(limit));
      assert.deepEqual(await states(), before);
    });

    it('exports a notebook', async () => {
      const { host } = fixture();
      await host.begin('lvlmLens.exportHtml', { file: host.file('executed.ipynb') });
      await accept(host.page, 'Export as interactive HTML');
      await notification(host, /Exported to /);
      const html = await readFile(host.file('executed.html'), 'utf8');
      assert.ok(html.includes(`type="${MIME_TYPE}"`));
      await host.command('notifications.clearAll');
    });

    it('does not offer to explain an image', async () => {
      const { host } = fixture();
      const image = await host.picture('banana.png');
      const menu = host.page.locator('.monaco-menu .action-menu-item');
      await repeatUntil({ locator: menu.filter({ hasText: 'Copy Path' }) }, (limit) =>
        image.click({ button: 'right', ...limit }),
      );
      assert.equal(await menu.filter({ hasText: 'Explain' }).count(), 0);
      await host.page.keyboard.press('Escape');
    });

    for (const command of ['explainImage', 'selectModel', 'restartKernel', 'installJupyterKernel']) {
      it(`refuses ${command} where something else starts it, as the links of the walkthrough do`, async () => {
        const { host } = fixture();
        await host.command('notifications.clearAll');
        await host.begin(`lvlmLens.${command}`);
        await notification(host, /This folder is not trusted/);
        await host.command('notifications.clearAll');
      });
    }

    it('offers the kernel once the folder is trusted', async () => {
      const { host } = fixture();
      await host.show(host.file('quickstart.ipynb'));
      await host.begin('workbench.trust.manage');
      const trust = host.page.getByRole('button', { name: 'Trust', exact: true });
      await repeatUntil({ locator: host.page.getByText('You trust this folder').filter({ visible: true }) }, (limit) =>
        trust.first().click(limit),
      );
      await host.show(host.file('quickstart.ipynb'));
      await kernelLabel(host).waitFor();
    });
  },
  'untrusted',
);
