/** The kernel core, for whatever carries it to people: the shell, Jupyter, VS Code. */
export { createSession, type CellReply, type ExecuteOptions, type Session, type SessionOptions } from './session.ts';
export type { CellError, CellEvent, DisplayData, MimeBundle } from './events.ts';
export { display, type DisplayHandle, type DisplayOptions } from './display.ts';
