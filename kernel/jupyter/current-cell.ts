/** The cell that is running, for code that has no other way to know: `display`, progress, interruption. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CellEvent } from './events.ts';

export interface CurrentCell {
  /** Aborts when the user interrupts the cell. */
  readonly signal: AbortSignal;
  emit(event: CellEvent): void;
  /** A display id that no other output of this session has. */
  newDisplayId(): string;
  /** Whether this session has an output of this display id already. */
  isShown(displayId: string): boolean;
  /** Asks the user; missing where nobody can be asked. */
  readonly ask?: (prompt: string, password: boolean) => Promise<string>;
}

/**
 * A symbol of the process, not a variable of this module: a second copy of the library (a user's own installation, say)
 * must find the same cell.
 */
const KEY = Symbol.for('lvlm-lens.current-cell');

interface Host {
  [KEY]?: AsyncLocalStorage<CurrentCell | undefined>;
}

function storage(): AsyncLocalStorage<CurrentCell | undefined> {
  const host = globalThis as Host;
  return (host[KEY] ??= new AsyncLocalStorage());
}

/** The cell on whose behalf the caller runs, also from its timers and callbacks; undefined outside a notebook. */
export function currentCell(): CurrentCell | undefined {
  return storage().getStore();
}

/** Runs `body`, and whatever it starts, on behalf of `cell`. */
export function runAsCell<T>(cell: CurrentCell, body: () => T): T {
  return storage().run(cell, body);
}

/** Runs `body` on nobody's behalf: a front end that prints what a cell emits must not be taken for the cell. */
export function runOutsideCell<T>(body: () => T): T {
  return storage().run(undefined, body);
}
