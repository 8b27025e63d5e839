/** What a person does who sees that nothing happened: it again. Menus and dialogs ignore what comes too early. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';

/** How long anything that a gesture leads to may take, in ms: the machine may be busy, and nothing here measures speed. */
export const PATIENCE = 90_000;

/**
 * Asks until there is an answer.
 * @throws after `PATIENCE`, naming what was waited for
 */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE / 1000} s`);
    await sleep(100);
  }
}

interface Effect {
  readonly locator: Locator;
  readonly state?: 'visible' | 'hidden';
}

/**
 * Repeats a gesture until its effect is seen.
 * @param gesture must be harmless once the effect is on its way; what it throws counts as a try
 * @throws what the last try threw, or that the effect did not come, after `PATIENCE`
 */
export async function repeatUntil(
  { locator, state = 'visible' }: Effect,
  gesture: (limit: { readonly timeout: number }) => Promise<unknown>,
): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
    let failure: unknown;
    await gesture({ timeout: pause }).catch((error: unknown) => (failure = error));
    try {
      return await locator.first().waitFor({ state, timeout: pause });
    } catch (error) {
      if (Date.now() > deadline) throw failure ?? error;
    }
  }
}

/** Chooses an entry of the context menu of something. */
export async function chooseFromMenu(item: Locator, name: string): Promise<void> {
  const entry = item.page().locator('.monaco-menu .action-menu-item', { hasText: name });
  await repeatUntil({ locator: entry }, (limit) => item.click({ button: 'right', ...limit }));
  // A menu that has just opened takes no click: else the button that opened it would choose.
  await repeatUntil({ locator: entry, state: 'hidden' }, (limit) => entry.click(limit));
}

/** The list or line of input at the top of the window. */
export function quickInput(page: Page): { readonly widget: Locator; readonly box: Locator } {
  const widget = page.locator('.quick-input-widget');
  return { widget, box: widget.locator('input.input') };
}

/**
 * Waits for a quick input that shows `text`, and accepts it. A dialog takes no Enter before it has checked its value.
 * @param value is typed into it first; what it proposes is taken where undefined
 */
export async function accept(page: Page, text: string, value?: string): Promise<void> {
  const { widget, box } = quickInput(page);
  const shown = widget.getByText(text);
  await shown.first().waitFor();
  if (value !== undefined) await box.fill(value);
  await repeatUntil({ locator: shown, state: 'hidden' }, (limit) => box.press('Enter', limit));
}
