/** Copying to the clipboard, with a word on how it went. */
import { element } from './element.ts';

const SAID_MS = 2000;

/** Copies text: by the clipboard's interface where the host allows it, else by a selection as browsers have always done. */
async function copyText(text: string, near: Element): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element('textarea', { class: 'spoken', 'aria-hidden': 'true', tabindex: -1 });
    area.value = text;
    near.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    if (!copied) throw new Error('this host does not let us copy');
  }
}

/** Copies what is text as text, and a picture as a picture. */
export async function copy(content: string | Blob, near: Element): Promise<void> {
  if (typeof content === 'string') await copyText(content, near);
  else await navigator.clipboard.write([new ClipboardItem({ [content.type]: content })]);
}

/** Does something that may fail when a button is pressed, and says on the button and to screen readers how it went. */
export function whenPressed(
  button: HTMLButtonElement,
  done: string,
  act: () => Promise<void>,
  signal: AbortSignal,
): void {
  const label = button.textContent;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (text: string, title = ''): void => {
    button.textContent = text;
    button.title = title;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      button.title = '';
    }, SAID_MS);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  button.setAttribute('aria-live', 'polite');
  button.addEventListener(
    'click',
    () => {
      act().then(
        () => say(done),
        (error: unknown) => say('Not possible here', error instanceof Error ? error.message : String(error)),
      );
    },
    { signal },
  );
}

/** A button that copies. */
export function createCopyButton(label: string, content: () => Promise<string | Blob>, signal: AbortSignal) {
  const button = element('button', { type: 'button' }, label);
  whenPressed(button, 'Copied', async () => copy(await content(), button.parentElement ?? button), signal);
  return button;
}
