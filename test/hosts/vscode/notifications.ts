/** The notifications of VS Code, which hide after a while: their list is opened to reach them. */
import type { Locator } from 'playwright-core';
import { repeatUntil } from '../gestures.ts';
import type { VsCodeHost } from './host.ts';

/** A notification whose text matches, once it is there. */
export async function notification(host: VsCodeHost, text: string | RegExp): Promise<Locator> {
  const item = host.page.locator('.notification-list-item', { hasText: text });
  await repeatUntil({ locator: item }, () => host.command('notifications.showList'));
  return item.first();
}

/** Clicks a button of a notification, which closes it. */
export async function answerNotification(host: VsCodeHost, text: string | RegExp, button: string): Promise<void> {
  const item = await notification(host, text);
  await repeatUntil({ locator: item, state: 'hidden' }, async (limit) => {
    await host.command('notifications.showList');
    await item.getByRole('button', { name: button }).click(limit);
  });
}
