import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { pocketFiles } from '../../hub/hub-server.ts';
import { accept, quickInput, until } from '../gestures.ts';
import { describeInVsCode } from './fixture.ts';
import { answerNotification, notification } from './notifications.ts';
import { OpenNotebook } from './open-notebook.ts';

const MODEL = 'tiny-org/pocket-on-the-hub';

describeInVsCode('a model of the Hub', (fixture) => {
  before(() => {
    fixture().hub.commit(MODEL, pocketFiles());
  });

  after(async () => {
    if (!fixture()) return;
    fixture().hub.reset();
    await fixture().host.set('lvlmLens', 'model', undefined, 'Workspace');
  });

  /** Names the model where Select Model asks for another one. */
  async function select(): Promise<void> {
    const { host } = fixture();
    await host.command('notifications.clearAll');
    await host.begin('lvlmLens.selectModel');
    await accept(host.page, 'Another model…', 'Another model');
    await accept(host.page, 'Which model?', MODEL);
  }

  const chosen = () =>
    fixture().host.call<string>(`return vscode.workspace.getConfiguration('lvlmLens').get('model', '')`);

  it('is downloaded with progress, and no further once that is cancelled', async () => {
    const { host, hub, screenshot } = fixture();
    hub.rate = 500_000;
    await select();
    await notification(host, /Downloading .*pocket-on-the-hub.* [1-9]\d? %/);
    await screenshot('download');
    await answerNotification(host, 'Downloading', 'Cancel');
    await until('nothing is asked for any more', async () => {
      const { length } = hub.seen;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return hub.seen.length === length;
    });
    assert.equal(await chosen(), '');
    assert.equal(await host.page.locator('.notification-list-item').count(), 0, 'who cancels needs no message');
  });

  it('is taken up where it was left, and used by calls that name none', async () => {
    const { host, hub, home } = fixture();
    hub.rate = undefined;
    hub.seen.length = 0;
    await select();
    await notification(host, `Calls that name no model use ${MODEL} from now on.`);
    assert.ok(
      hub.seen.some(({ range }) => range !== undefined && !range.startsWith('bytes=0-')),
      'what had come is not asked for again',
    );
    assert.equal(await chosen(), MODEL);
    await access(path.join(home, 'huggingface/hub/models--tiny-org--pocket-on-the-hub/refs/main'));
    const notebook = await OpenNotebook.make(host, 'model.ipynb');
    const code = `(await explain({ image: 'images/banana.png', question: 'What is there?', method: 'grad-cam' })).explanation.model.id`;
    assert.match(await notebook.value(code), new RegExp(`'${MODEL}'`));
    await notebook.close();
    await host.begin('lvlmLens.selectModel');
    const { widget } = quickInput(host.page);
    const row = widget.locator('.monaco-list-row', { hasText: MODEL });
    await row.waitFor();
    assert.match(await row.innerText(), /Downloaded/);
    await host.page.keyboard.press('Escape');
  });

  it('that does not exist is named in one message', async () => {
    const { host } = fixture();
    await host.command('notifications.clearAll');
    await host.begin('lvlmLens.selectModel');
    await accept(host.page, 'Another model…', 'Another model');
    await accept(host.page, 'Which model?', 'tiny-org/no-such-model');
    const item = await notification(host, 'The model could not be selected');
    assert.match(await item.innerText(), /tiny-org\/no-such-model/);
    await host.command('notifications.clearAll');
    assert.equal(await chosen(), MODEL);
  });
});
