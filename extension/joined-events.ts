/** Fewer changes that say the same. */
import type { CellEvent } from '../kernel/jupyter/events.ts';

/** Consecutive texts of one stream as one, and of one progress line only the newest. */
export function joined(events: readonly CellEvent[]): CellEvent[] {
  const result: CellEvent[] = [];
  let texts: string[] = [];
  const endText = (): void => {
    const last = result.at(-1);
    if (texts.length > 0 && last?.type === 'stream') result[result.length - 1] = { ...last, text: texts.join('') };
    texts = [];
  };
  for (const event of events) {
    const last = result.at(-1);
    if (event.type === 'stream' && last?.type === 'stream' && event.name === last.name) {
      texts.push(event.text);
      continue;
    }
    endText();
    if (event.type === 'stream') texts = [event.text];
    if (event.type === 'progress' && last?.type === 'progress' && event.displayId === last.displayId) result.pop();
    result.push(event);
  }
  endText();
  return result;
}
