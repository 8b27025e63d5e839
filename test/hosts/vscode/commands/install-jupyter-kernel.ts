import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { JupyterClient } from '../../../../bench/jupyter-client.ts';
import { skipBecause } from '../../../skip.ts';
import { jupyterHost } from '../../jupyter-host.ts';
import type { VsCodeHost } from '../host.ts';
import { answerNotification, notification } from '../notifications.ts';
import type { TestOfCommand } from './test-of-command.ts';

/** Jupyter is told of the kernel that is in the extension, and that kernel works; without Jupyter one message says what to do. */
export const installJupyterKernel: TestOfCommand = async ({ host, home }, mocha) => {
  const empty = path.join(home, 'empty');
  await mkdir(empty, { recursive: true });
  const before = await setPath(host, empty);
  try {
    await host.begin('lvlmLens.installJupyterKernel');
    const said = await notification(host, 'The Jupyter kernel could not be installed');
    assert.match(await said.innerText(), /Jupyter was not found: .* Install it with "pip install jupyterlab"/);
    await answerNotification(host, 'The Jupyter kernel could not be installed', 'Show Log');
    await host.page.locator('.part.panel .view-line').first().waitFor();
    await host.command('workbench.action.closePanel');

    const jupyter = await jupyterHost();
    if ('missing' in jupyter) skipBecause(mocha, 'VS Code: Install Jupyter Kernel', jupyter.missing);
    await setPath(host, jupyter.env['PATH']!);
    await host.begin('lvlmLens.installJupyterKernel');
    await notification(host, /LVLM Lens.* is among Jupyter/);
  } finally {
    await setPath(host, before);
    await host.command('notifications.clearAll');
  }
  const { argv } = JSON.parse(await readFile(path.join(home, 'jupyter/kernels/lvlm-lens/kernel.json'), 'utf8')) as {
    argv: string[];
  };
  assert.equal(argv.at(-1), '{connection_file}');
  assert.ok(
    argv.some((arg) => arg.startsWith(host.extensions)),
    argv.join(' '),
  );
  const client = await JupyterClient.start(argv.slice(0, -1), home);
  const { published } = await client.execute('6 * 7');
  await client.close();
  assert.ok(published.some(({ content }) => (content.data as Record<string, unknown>)?.['text/plain'] === '42'));
};

/** Changes the search path of the extension's own process. @returns the one before */
function setPath(host: VsCodeHost, folders: string): Promise<string> {
  return host.call<string>(`const before = process.env.PATH; process.env.PATH = args.folders; return before`, {
    folders,
  });
}
