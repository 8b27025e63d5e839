/** `await input('…')`: asks the user in the middle of a cell. */
import { LensError } from '../errors.ts';
import { currentCell } from './current-cell.ts';

export interface InputOptions {
  /** Shows dots instead of what is typed. */
  readonly password?: boolean;
}

/**
 * Asks the user for a line of text; front ends show a field below the cell.
 *
 *     const name = await input('Your name: ');
 *     const token = await input('Token: ', { password: true });
 *
 * @throws LensError where nobody can be asked, as when a notebook is executed without a front end
 */
export async function input(prompt = '', { password = false }: InputOptions = {}): Promise<string> {
  const ask = currentCell()?.ask;
  if (!ask) {
    throw new LensError(
      `nobody can be asked "${prompt}" here`,
      'input() works in cells that run in Jupyter or VS Code, not in a notebook that is executed by a command.',
    );
  }
  return await ask(String(prompt), password);
}
