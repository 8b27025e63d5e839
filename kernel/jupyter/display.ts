/** `display(value)`: output in the middle of a cell, which can change later. */
import { currentCell } from './current-cell.ts';
import { inspect, toDisplayData } from './mime.ts';

export interface DisplayOptions {
  /** Name of the output. A second call with the same id changes the output of the first. */
  readonly id?: string;
}

/** An output that is on screen. */
export interface DisplayHandle {
  readonly id: string;
  /** Shows another value in the same place. */
  update(value: unknown): Promise<void>;
}

/**
 * Shows a value as an output of the cell that runs: anything with a `Symbol.for('Jupyter.display')` method, a canvas, a
 * buffer that holds a PNG, JPEG, GIF or WebP, or any other value as text. Outside a notebook it prints the text.
 *
 *     const picture = await display(canvas);
 *     await picture.update(anotherCanvas);
 */
export async function display(value: unknown, { id }: DisplayOptions = {}): Promise<DisplayHandle> {
  const cell = currentCell();
  if (!cell) {
    console.log(inspect(value));
    return { id: id ?? '', update: (next) => display(next).then(() => undefined) };
  }
  const displayId = id ?? cell.newDisplayId();
  const type = id !== undefined && cell.isShown(id) ? 'update_display_data' : 'display_data';
  cell.emit({ type, displayId, ...(await toDisplayData(value)) });
  return {
    id: displayId,
    async update(next) {
      cell.emit({ type: 'update_display_data', displayId, ...(await toDisplayData(next)) });
    },
  };
}

/**
 * Takes away what the cell has shown so far.
 * @param options.wait only when the next output comes, so that nothing flickers
 */
export function clearOutput({ wait = false }: { readonly wait?: boolean } = {}): void {
  currentCell()?.emit({ type: 'clear_output', wait });
}
